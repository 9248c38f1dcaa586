"""The report: in comes an audit with all that it found, planned and did, out comes a document that a DBA can act on. Pure."""

from collections.abc import Callable, Iterator
from itertools import chain

from holdfastd.report.blocks import Block, Contents, Document, Heading, reworded
from holdfastd.report.chapters.affected import affected
from holdfastd.report.chapters.applications import applications
from holdfastd.report.chapters.constraints import constraints
from holdfastd.report.chapters.deployment import deployment
from holdfastd.report.chapters.execution import execution
from holdfastd.report.chapters.exposure import exposure
from holdfastd.report.chapters.findings import findings
from holdfastd.report.chapters.first import first
from holdfastd.report.chapters.indexes import indexes
from holdfastd.report.chapters.relationship_map import relationship_map
from holdfastd.report.chapters.remaining import doubtful, ignored, uncounted
from holdfastd.report.chapters.results import results
from holdfastd.report.chapters.risks import risks
from holdfastd.report.chapters.scripts import full_scripts, scripts
from holdfastd.report.chapters.summary import summary
from holdfastd.report.chapters.tables import tables
from holdfastd.report.chapters.trying import trying
from holdfastd.report.chapters.undoing import undoing
from holdfastd.report.facts import Facts, ReportFormat
from holdfastd.report.html import render_html
from holdfastd.report.markdown import render_markdown
from holdfastd.report.view import View

Chapter = Callable[[View], Iterator[Block]]


def _summary(view: View) -> Iterator[Block]:
    return chain(summary(view), results(view))


#: In the order in which a reader who has little time needs them. Chapters that have nothing to say are left out.
CHAPTERS: tuple[tuple[str, Chapter], ...] = (
    ("Summary", _summary),
    ("What to do first", first),
    ("Tables", tables),
    ("Relationship map", relationship_map),
    ("Tables that can produce orphan rows", exposure),
    ("Proposed constraints", constraints),
    ("Missing indexes", indexes),
    ("Scripts", scripts),
    ("Execution order", execution),
    ("Tables affected", affected),
    ("Risks and mitigations", risks),
    ("Deployment", deployment),
    ("What applications will notice", applications),
    ("What to test afterwards", trying),
    ("Rollback", undoing),
    ("Further findings", findings),
    ("For review", doubtful),
    ("What was not counted, and why", uncounted),
    ("Ignored", ignored),
    ("Scripts in full", full_scripts),
)


def render_report(facts: Facts, format_: ReportFormat) -> str:
    """Return the report of an audit as one file."""
    document = build_report(facts, with_drawings=format_ is ReportFormat.HTML)
    match format_:
        case ReportFormat.MARKDOWN:
            return render_markdown(document)
        case ReportFormat.HTML:
            return render_html(document)


def build_report(facts: Facts, *, with_drawings: bool) -> Document:
    """Return the report as a document."""
    view = View(facts=facts, with_drawings=with_drawings)
    told = [(title, blocks) for title, chapter in CHAPTERS if (blocks := [*chapter(view)])]
    body = [block for place, (title, blocks) in enumerate(told, start=1) for block in (Heading(2, f"{place}. {title}"), *blocks)]
    document = [Heading(1, f"Integrity of {view.name}"), Contents([title for title, _ in told]), *body]
    return reworded(document, view.shorten) if view.home else document
