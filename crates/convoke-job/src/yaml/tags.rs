//! Tags: those of YAML 1.1's own types, nothing else.

use saphyr_parser::Tag;

use crate::diagnostic::Diagnostic;
use crate::source::Span;

/// The tag without its short form.
pub(super) fn full(tag: &Tag) -> String {
    format!("{}{}", tag.handle, tag.suffix)
}

/// `str` of `tag:yaml.org,2002:str`.
pub(super) fn core(tag: &str) -> Option<&str> {
    tag.strip_prefix("tag:yaml.org,2002:").or_else(|| tag.strip_prefix("!!"))
}

/// What to say of a tag that is unknown or wrong.
pub(super) fn bad(tag: &str, span: Span) -> Diagnostic {
    let finding = match core(tag) {
        Some(name @ ("str" | "null" | "bool" | "int" | "float" | "timestamp" | "seq" | "map")) => {
            Diagnostic::error("yaml.tag", "", span, format!("this is not what its tag `!!{name}` says"))
        }
        _ => Diagnostic::error("yaml.tag", "", span, format!("unknown tag `{tag}`")),
    };
    finding.help("remove the tag")
}
