"""The data dictionary."""

from kehu_analysis.simulate.world import World


def dictionary_text(world: World, file_format: str) -> str:
    return ""
