"""Synthesizers: plugins that generate training rows, one module each."""

from factory.api import Plugin, hookimpl


@hookimpl
def factory_plugins() -> list[type[Plugin]]:
    """Return the synthesizers of this package."""
    from factory_synth.backtranslate import BacktranslateStyle
    from factory_synth.corrupt_claims import CorruptClaims
    from factory_synth.from_description import FromDescription
    from factory_synth.hard_negatives import HardNegatives
    from factory_synth.label import TeacherLabeller
    from factory_synth.paraphrase import Paraphrase
    from factory_synth.questions_from_documents import QuestionsFromDocuments
    from factory_synth.self_instruct import SelfInstruct
    from factory_synth.spread_labels import SpreadLabels
    from factory_synth.tool_calls import ToolCalls

    return [
        BacktranslateStyle, CorruptClaims, FromDescription, HardNegatives, TeacherLabeller, Paraphrase,
        QuestionsFromDocuments, SelfInstruct, SpreadLabels, ToolCalls,
    ]
