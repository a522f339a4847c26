//! The report: what was measured, how, on which machine, and which budgets were met.
//!
//! Invariant: whether a budget is met follows from the figure beside it; nobody states it.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::machine::Circumstances;

/// What a figure may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
}

/// A budget beside the figure it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// What was measured.
    pub what: String,
    /// The figure.
    pub measured: f64,
    /// The budget.
    pub limit: Limit,
    /// The unit of both.
    pub unit: &'static str,
}

impl Budget {
    /// Whether the figure keeps to the budget. A figure that is no number does not.
    #[must_use]
    pub fn is_met(&self) -> bool {
        match self.limit {
            Limit::AtMost(most) => self.measured <= most,
            Limit::AtLeast(least) => self.measured >= least,
        }
    }

    fn json(&self) -> Value {
        let (bound, limit) = match self.limit {
            Limit::AtMost(most) => ("at_most", most),
            Limit::AtLeast(least) => ("at_least", least),
        };
        json!({ "what": self.what, "measured": self.measured, bound: limit, "unit": self.unit, "met": self.is_met() })
    }

    fn line(&self) -> String {
        let (sign, limit) = match self.limit {
            Limit::AtMost(most) => ("≤", most),
            Limit::AtLeast(least) => ("≥", least),
        };
        let verdict = if self.is_met() { "met" } else { "**missed**" };
        format!(
            "| {} | {} {unit} | {sign} {} {unit} | {verdict} |",
            self.what,
            short(self.measured),
            short(limit),
            unit = self.unit
        )
    }
}

/// One part of the report.
#[derive(Debug)]
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// How it was measured, in sentences.
    pub method: String,
    /// The names of the columns.
    pub columns: Vec<&'static str>,
    /// The table, as text.
    pub rows: Vec<Vec<String>>,
    /// The same figures as JSON.
    pub figures: Value,
    /// The budgets it is about.
    pub budgets: Vec<Budget>,
}

/// Everything that was measured in one run.
#[derive(Debug)]
pub struct Report {
    /// Machine, commit, date, load.
    pub circumstances: Circumstances,
    /// The parts, in the order in which they ran.
    pub sections: Vec<Section>,
}

impl Report {
    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let sections = self.sections.iter().map(|section| {
            json!({
                "title": section.title,
                "method": section.method,
                "figures": section.figures,
                "budgets": section.budgets.iter().map(Budget::json).collect::<Vec<_>>(),
            })
        });
        json!({ "circumstances": self.circumstances, "sections": sections.collect::<Vec<_>>() })
    }

    /// As Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let at = &self.circumstances;
        let mut text = String::from("# Measured\n\n");
        let _ = writeln!(text, "- commit: {}{}", at.commit, if at.changed { ", with uncommitted changes" } else { "" });
        let _ = writeln!(text, "- date: {}", at.date);
        let _ = writeln!(
            text,
            "- machine: {}, {} cores, {} MiB, Linux {}",
            at.processor, at.cores, at.memory_mib, at.kernel
        );
        let _ = writeln!(
            text,
            "- load average (1 min): {} before, {} after; a load above the number of cores makes every wall-clock figure worse",
            short(at.load_before),
            short(at.load_after)
        );
        text.push_str("\n## Budgets\n\n| what | measured | budget | |\n|---|---|---|---|\n");
        for budget in self.sections.iter().flat_map(|section| &section.budgets) {
            text.push_str(&budget.line());
            text.push('\n');
        }
        for section in &self.sections {
            let _ = write!(text, "\n## {}\n\n{}\n\n", section.title, section.method);
            let _ = writeln!(text, "| {} |", section.columns.join(" | "));
            let _ = writeln!(text, "|{}", "---|".repeat(section.columns.len()));
            for row in &section.rows {
                let _ = writeln!(text, "| {} |", row.join(" | "));
            }
        }
        text
    }
}

/// A number with three digits that matter, or all before the point.
#[must_use]
pub fn short(number: f64) -> String {
    let size = number.abs();
    let digits = if size >= 100.0 || size == 0.0 || number.fract() == 0.0 {
        0
    } else if size >= 10.0 {
        1
    } else if size >= 1.0 {
        2
    } else {
        3
    };
    format!("{number:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(measured: f64, limit: Limit) -> Budget {
        Budget { what: "x".to_owned(), measured, limit, unit: "ms" }
    }

    #[test]
    fn a_budget_is_met_by_its_figure_alone() {
        assert!(budget(15.0, Limit::AtMost(15.0)).is_met());
        assert!(!budget(15.1, Limit::AtMost(15.0)).is_met());
        assert!(budget(5_000.0, Limit::AtLeast(5_000.0)).is_met());
        assert!(!budget(4_999.0, Limit::AtLeast(5_000.0)).is_met());
        assert!(!budget(f64::NAN, Limit::AtMost(15.0)).is_met());
    }

    #[test]
    fn the_report_names_what_was_missed() {
        let report = Report {
            circumstances: Circumstances {
                commit: "abc".to_owned(),
                changed: true,
                date: "2026-11-21".to_owned(),
                processor: "a processor".to_owned(),
                cores: 2,
                memory_mib: 1_024,
                kernel: "6".to_owned(),
                load_before: 0.25,
                load_after: 12.0,
            },
            sections: vec![Section {
                title: "Cold start",
                method: "As it is.".to_owned(),
                columns: vec!["function", "ms"],
                rows: vec![vec!["bpp-search".to_owned(), "16.2".to_owned()]],
                figures: json!([{ "function": "bpp-search", "ms": 16.2 }]),
                budgets: vec![budget(16.2, Limit::AtMost(15.0)), budget(3.0, Limit::AtMost(15.0))],
            }],
        };
        let text = report.markdown();
        assert!(text.contains("- commit: abc, with uncommitted changes\n"), "{text}");
        assert!(text.contains("| x | 16.2 ms | ≤ 15 ms | **missed** |\n| x | 3 ms | ≤ 15 ms | met |\n"), "{text}");
        assert!(
            text.contains("## Cold start\n\nAs it is.\n\n| function | ms |\n|---|---|\n| bpp-search | 16.2 |\n"),
            "{text}"
        );
        let json = report.json();
        assert_eq!(json["sections"][0]["budgets"][0]["met"], false);
        assert_eq!(json["sections"][0]["budgets"][1]["at_most"], 15.0);
        assert_eq!(json["circumstances"]["load_after"], 12.0);
    }

    #[test]
    fn numbers_are_short() {
        let shown: Vec<String> = [0.0, 0.0123, 1.234, 15.04, 5_432.1, 15.0].into_iter().map(short).collect();
        assert_eq!(shown, ["0", "0.012", "1.23", "15.0", "5432", "15"]);
    }
}
