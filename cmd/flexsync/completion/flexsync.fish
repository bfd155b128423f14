# fish completion for flexsync. To try it:
#     flexsync completion fish | source
# To keep it, write it to ~/.config/fish/completions/flexsync.fish.
function __flexsync_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l lines ($words[1] complete fish -- $words[2..-1] "$current" 2>/dev/null)
    if test "$lines[1]" = files
        set -l flag (string match -r -- '^--[^=]*=' "$current")
        __fish_complete_path (string replace -r -- '^--[^=]*=' '' "$current") | string replace -r -- '^' "$flag"
    else
        printf '%s\n' $lines[2..-1]
    end
end
complete -c flexsync -f -k -a '(__flexsync_complete)'
