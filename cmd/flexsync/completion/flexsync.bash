# bash completion for flexsync. To try it:
#     source <(flexsync completion bash)
# To keep it, put that line into ~/.bashrc.
_flexsync() {
    local kind line
    COMPREPLY=()
    {
        read -r kind
        while IFS= read -r line; do
            COMPREPLY+=("$line")
        done
    } < <("${1/#\~\//$HOME/}" complete bash -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    # Files are completed by bash itself, which is what happens when there is
    # no answer; other words are not to be mistaken for files.
    if [[ $kind != files ]]; then
        compopt +o default 2>/dev/null
    fi
}
complete -o default -F _flexsync flexsync
