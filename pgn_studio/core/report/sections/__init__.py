"""The report's sections, in the order of Markdown and of the terminal."""

from pgn_studio.core.report.section import Section
from pgn_studio.core.report.sections.answers import AnswersSection
from pgn_studio.core.report.sections.baselines import BaselinesSection
from pgn_studio.core.report.sections.classes import ClassesSection
from pgn_studio.core.report.sections.compression import CompressionSection
from pgn_studio.core.report.sections.confusion import ConfusionSection
from pgn_studio.core.report.sections.coverage import CoverageSection
from pgn_studio.core.report.sections.examples import BrokenSection, FixedSection
from pgn_studio.core.report.sections.leakage import LeakageSection
from pgn_studio.core.report.sections.metrics import MetricsSection
from pgn_studio.core.report.sections.strength import StrengthSection
from pgn_studio.core.report.sections.transfer import TransferSection

SECTIONS: tuple[type[Section], ...] = (
    MetricsSection,
    LeakageSection,
    BaselinesSection,
    CompressionSection,
    StrengthSection,
    AnswersSection,
    CoverageSection,
    TransferSection,
    ClassesSection,
    ConfusionSection,
    FixedSection,
    BrokenSection,
)
