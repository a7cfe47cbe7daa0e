/** `bunlb completion`: completion for shells, made from the same descriptions as the help. */
import { command } from "./command.ts"
import { bashScript, fishScript, zshScript } from "./completion-scripts.ts"
import { usageError } from "./flags.ts"

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript }

export const completion = command({
  name: "completion",
  description: "Print the completion script of a shell",
  usage: "completion bash|zsh|fish",
  words: ["bash|zsh|fish"],
  choices: Object.keys(scripts),
  flags: [],
  examples: [
    "bunlb completion bash > /etc/bash_completion.d/bunlb",
    'bunlb completion zsh > "${fpath[1]}/_bunlb"',
    "bunlb completion fish > ~/.config/fish/completions/bunlb.fish",
  ],
  async run(typed, terminal, { all }) {
    const [shell = ""] = typed.words
    if (!Object.hasOwn(scripts, shell)) {
      throw usageError(`no completion for ${JSON.stringify(shell)}, there are bash, zsh and fish`)
    }
    terminal.out(scripts[shell as keyof typeof scripts](await all()))
    return 0
  },
})
