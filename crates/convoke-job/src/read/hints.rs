//! Hints: the known name that was meant.

/// The known name most like `word`, when one is like it.
pub(crate) fn closest<'n>(word: &str, known: &[&'n str]) -> Option<&'n str> {
    if word.len() > 100 {
        return None;
    }
    let word = word.to_lowercase();
    known
        .iter()
        // Names come from the document, too: a hostile one must not make hints expensive.
        .filter(|name| name.len() <= 100)
        .take(200)
        .map(|name| (strsim::jaro_winkler(&word, &name.to_lowercase()), *name))
        .filter(|(likeness, _)| *likeness >= 0.86)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// ` (did you mean NAME?)`, or nothing.
pub(crate) fn did_you_mean(word: &str, known: &[&str]) -> String {
    closest(word, known).map(|name| format!(" (did you mean {name}?)")).unwrap_or_default()
}

/// The names, the first dozen of them.
pub(crate) fn listing(names: &[&str]) -> String {
    let mut text = names.iter().take(12).copied().collect::<Vec<_>>().join(", ");
    if names.len() > 12 {
        text += ", …";
    }
    text
}
