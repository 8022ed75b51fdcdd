//! The known name a mistyped one was probably meant to be.

/// The nearest of `known` to `text`, if it is near: at most a third of its letters differ, case aside.
pub fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = text.to_lowercase();
    let distances = known.into_iter().map(|name| (distance(&lower, &name.to_lowercase()), name));
    let (least, name) = distances.min_by_key(|(distance, _)| *distance)?;
    (least <= 1.max(text.chars().count() / 3)).then_some(name)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `left` into `right`.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, from) in left.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, to) in right.iter().enumerate() {
            let replaced = last[column] + usize::from(from != to);
            let mut best = replaced.min(last[column + 1] + 1).min(line[column] + 1);
            if row > 0 && column > 0 && *from == right[column - 1] && left[row - 1] == *to {
                best = best.min(before[column - 1] + 1);
            }
            line.push(best);
        }
        before = std::mem::replace(&mut last, line);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = ["docker", "qemu", "sandbox"];
        assert_eq!(nearest("qmeu", known), Some("qemu"));
        assert_eq!(nearest("sandboxes", known), Some("sandbox"));
        assert_eq!(nearest("Docker", known), Some("docker"));
        assert_eq!(nearest("panda", known), None);
        assert_eq!(nearest("panda", []), None);
    }
}
