//! Findings, drawn into their source for people.

use std::fmt;

use convoke_job::{Diagnostic, Severity, Source};
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};

use crate::output;

/// Draws findings on standard error, in the order of the document.
pub(crate) fn print(source: &Source, findings: &[Diagnostic]) {
    output::eprint(&draw(source, findings, output::stderr_colours()));
}

fn draw(source: &Source, findings: &[Diagnostic], colours: bool) -> String {
    let theme = if colours { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(110).with_context_lines(1);
    let mut ordered: Vec<&Diagnostic> = findings.iter().collect();
    ordered.sort_by_key(|finding| finding.labels.first().map_or(0, |label| label.span.start));
    let mut text = String::new();
    for finding in ordered {
        let drawn = Drawn { finding, source: NamedSource::new(source.name(), source.text().to_owned()) };
        if handler.render_report(&mut text, &drawn).is_err() {
            text.push_str(&finding.message);
        }
        text.push('\n');
    }
    text
}

/// `2 errors, 1 warning`.
pub(crate) fn count(findings: &[Diagnostic]) -> String {
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    let warnings = findings.len() - errors;
    let some = |number: usize, word: &str| match number {
        0 => None,
        1 => Some(format!("1 {word}")),
        more => Some(format!("{more} {word}s")),
    };
    let parts: Vec<String> = [some(errors, "error"), some(warnings, "warning")].into_iter().flatten().collect();
    if parts.is_empty() { "no findings".into() } else { parts.join(", ") }
}

#[derive(Debug)]
struct Drawn<'a> {
    finding: &'a Diagnostic,
    source: NamedSource<String>,
}

impl fmt::Display for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.finding.path.is_empty() {
            f.write_str(&self.finding.message)
        } else {
            write!(f, "{}: {}", self.finding.path, self.finding.message)
        }
    }
}

impl std::error::Error for Drawn<'_> {}

impl miette::Diagnostic for Drawn<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.finding.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.finding.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.finding.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        if self.source.inner().is_empty() {
            return None;
        }
        Some(Box::new(self.finding.labels.iter().enumerate().map(|(index, label)| {
            let text = match label.text.as_str() {
                "" if index == 0 => Some("here".to_owned()),
                "" => None,
                text => Some(text.to_owned()),
            };
            let range = label.span.start..label.span.end;
            if index == 0 {
                LabeledSpan::new_primary_with_span(text, range)
            } else {
                LabeledSpan::new_with_span(text, range)
            }
        })))
    }
}
