#compdef flexsync
# zsh completion for flexsync. To try it, after compinit:
#     source <(flexsync completion zsh)
# To keep it, write it to a file named _flexsync in a directory of $fpath.
_flexsync() {
    local kind
    local -a lines
    lines=("${(@f)$("${words[1]/#\~\//$HOME/}" complete zsh -- "${(@)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}")
    kind=$lines[1]
    shift lines
    if [[ $kind == files ]]; then
        [[ $PREFIX == --*=* ]] && compset -P '*='
        _files
    elif (( $#lines )); then
        _describe -V flexsync lines
    fi
}
if [[ $funcstack[1] == _flexsync ]]; then
    _flexsync "$@"
else
    compdef _flexsync flexsync
fi
