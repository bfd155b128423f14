package main

// What --help says of each command beside its flags.

func (planCmd) Help() string {
	return `
Exits with 4 if apply would be refused, so that the pull request fails and not the deploy job.

Examples:

	flexsync plan                                # flows.yaml, flows.yml or flows/
	flexsync plan flows/ --var-file prod.yaml --out prod.plan
	flexsync plan --format markdown > comment.md
	flexsync plan --detailed-exitcode            # exits with 2 on changes`
}

func (applyCmd) Help() string {
	return `
Safe to run again after a failure, or at the same time as another run: the account ends up the same.

Examples:

	flexsync apply                               # shows the plan and asks
	flexsync apply --yes --backup before.yaml
	flexsync apply --plan prod.plan --yes        # only what was reviewed
	flexsync apply --dry-run --only 'Support *'`
}

func (validateCmd) Help() string {
	return `
Examples:

	flexsync validate
	flexsync validate flows/ --allow-unset       # without values for the variables
	flexsync validate --code-quality gl-code-quality-report.json`
}

func (exportCmd) Help() string {
	return `
Examples:

	flexsync export > flows.yaml
	flexsync export --names > flows.yaml         # for other accounts too
	flexsync export --split flows                # one file for each channel
	flexsync export --snapshot account.json      # for plan --local account.json`
}

func (listCmd) Help() string {
	return `
Examples:

	flexsync list
	flexsync list --format env >> .env           # FLEX_FLOW_SUPPORT_SMS=FO...
	flexsync list --format json | jq -r '.flows[] | select(.enabled) | .sid'`
}

func (schemaCmd) Help() string {
	return `
For editors with yaml-language-server (VS Code, Neovim): save it, and name it in the first line of each file.

Examples:

	flexsync schema > flexsync.schema.json
	# yaml-language-server: $schema=flexsync.schema.json`
}

func (emulateCmd) Help() string {
	return `
For a single command, use --local FILE instead of a server.

Examples:

	flexsync emulate --local account.json
	flexsync emulate --addr 127.0.0.1:8080 --seed account.json --collisions`
}

func (completionCmd) Help() string {
	return `
Completes commands, flags and their values, paths and, for --only and --ignore, the names of the flows in the YAML.

Examples:

	source <(flexsync completion bash)           # in ~/.bashrc
	source <(flexsync completion zsh)            # in ~/.zshrc, after compinit
	flexsync completion fish | source            # in ~/.config/fish/config.fish`
}

func (versionCmd) Help() string {
	return `
Examples:

	flexsync version`
}
