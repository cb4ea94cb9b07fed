"""gsnn-edges completion."""

import click

from gsnn_edges.cli.console import Command

# The line of each shell, and the file that it is put into.
LINES = {
    "bash": ('eval "$(_GSNN_EDGES_COMPLETE=bash_source gsnn-edges)"', "~/.bashrc"),
    "zsh": ('eval "$(_GSNN_EDGES_COMPLETE=zsh_source gsnn-edges)"', "~/.zshrc"),
    "fish": (
        "_GSNN_EDGES_COMPLETE=fish_source gsnn-edges | source",
        "~/.config/fish/completions/gsnn-edges.fish",
    ),
}


HELP = """Print the line that switches on completion in a shell.

\b
gsnn-edges completion bash >> ~/.bashrc
gsnn-edges completion zsh >> ~/.zshrc
gsnn-edges completion fish > ~/.config/fish/completions/gsnn-edges.fish
"""


@click.command(cls=Command, help=HELP)
@click.argument("shell", type=click.Choice(list(LINES)))
def completion(shell: str) -> None:
    """Print the line that switches on completion in a shell."""
    click.echo(LINES[shell][0])
