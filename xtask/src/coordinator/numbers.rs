//! Medians, spreads, tables.

use std::fmt::Write;

/// A column of measurements.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers(Vec<f64>);

impl Numbers {
    pub(super) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The value below which so many of a hundred lie.
    pub(super) fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        sorted.get((sorted.len() * percent / 100).min(last)).copied().unwrap_or(f64::NAN)
    }

    pub(super) fn median(&self) -> f64 {
        self.percentile(50)
    }

    /// The one that was added last.
    pub(super) fn last(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }

    /// `median (least … most)`
    pub(super) fn spread(&self, digits: usize) -> String {
        let least = self.percentile(0);
        let most = self.percentile(100);
        format!("{:.digits$} ({least:.digits$} … {most:.digits$})", self.median())
    }
}

impl FromIterator<f64> for Numbers {
    fn from_iter<T: IntoIterator<Item = f64>>(values: T) -> Self {
        Self(values.into_iter().collect())
    }
}

/// Prints a table as Markdown.
pub(super) fn table(title: &str, head: &[&str], rows: &[Vec<String>]) {
    let mut text = format!("\n### {title}\n\n| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        // Writing to a String does not fail.
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    println!("{text}");
}
