//! What became of each thing that was replayed, and how it is told. Knows no AWS.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal as _, Write as _},
};

use detection::{
    ledger::Ledger,
    text::{self, neutral},
};
use detector::handler::{Invocation, LogEnd};
use serde_json::{Value, json};

use super::Item;
use crate::{Ended, Format, complain, counted, table};

/// What became of one message, or of one log.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) name: String,
    /// Why it must be replayed again; nothing if it need not.
    pub(super) problems: Vec<String>,
    logs: Vec<LogEnd>,
    planned: bool,
    /// Of the pass, with its first outcome.
    ledger: Option<Ledger>,
}

impl Outcome {
    pub(super) fn of(items: &[Item], mut invocation: Invocation) -> Vec<Self> {
        let mut ledger = Some(invocation.ledger);
        let mut problems = std::mem::take(&mut invocation.problems).into_iter();
        let outcome = |(at, item): (usize, &Item)| Self {
            name: item.name.clone(),
            // What the detector does not speak of has not been handled.
            problems: problems.next().unwrap_or_else(|| vec!["nothing is known of it".to_owned()]),
            logs: invocation.logs.iter().filter(|log| log.notice == at).cloned().collect(),
            planned: false,
            ledger: ledger.take(),
        };
        items.iter().enumerate().map(outcome).collect()
    }

    /// What would be replayed.
    pub(super) fn planned(item: &Item) -> Self {
        Self { name: item.name.clone(), problems: Vec::new(), logs: Vec::new(), planned: true, ledger: None }
    }

    fn word(&self) -> &'static str {
        match (self.planned, self.problems.is_empty()) {
            (true, _) => "planned",
            (false, true) => "handled",
            (false, false) => "failed",
        }
    }

    fn json(&self) -> Value {
        let log = |log: &LogEnd| {
            json!({
                "log": format!("s3://{}/{}", log.bucket, log.key),
                "end": log.end,
                "records": log.records,
                "findings": log.published
            })
        };
        let (item, outcome) = (&self.name, self.word());
        if self.planned {
            return json!({"item": item, "outcome": outcome});
        }
        let logs: Vec<Value> = self.logs.iter().map(log).collect();
        json!({"item": item, "outcome": outcome, "logs": logs, "problems": self.problems})
    }

    /// Cells: what became of it, and what it is.
    fn row(&self) -> [String; 3] {
        let logs = self.logs.iter().map(|log| {
            let findings = counted(log.published, "finding");
            let place = format!("s3://{}/{}", log.bucket, log.key);
            let name = if place == self.name { String::new() } else { format!("{} ", neutral(&place, 400)) };
            format!("{name}{}, {}, {findings}", log.end, counted(log.records, "record"))
        });
        let problems = self.problems.iter().map(|problem| neutral(problem, 600));
        let told: Vec<String> = logs.chain(problems).collect();
        [self.word().to_owned(), neutral(&self.name, 400), told.join("\n")]
    }
}

/// Everything that is told, as it comes.
pub(super) struct Report {
    format: Format,
    rows: Vec<[String; 3]>,
    items: u64,
    failed: u64,
    planned: u64,
    findings: u64,
    alerts: u64,
    ends: BTreeMap<&'static str, u64>,
    refused: u64,
    /// Sums that do not hold.
    wrong: u64,
}

impl Report {
    pub(super) fn new(format: Option<Format>) -> Self {
        let format = format.unwrap_or(if io::stdout().is_terminal() { Format::Table } else { Format::Json });
        Self {
            format,
            rows: Vec::new(),
            items: 0,
            failed: 0,
            planned: 0,
            findings: 0,
            alerts: 0,
            ends: BTreeMap::new(),
            refused: 0,
            wrong: 0,
        }
    }

    pub(super) fn enter(&mut self, outcome: Outcome) -> io::Result<()> {
        self.items += 1;
        self.planned += u64::from(outcome.planned);
        self.failed += u64::from(!outcome.problems.is_empty());
        for log in &outcome.logs {
            *self.ends.entry(log.end).or_default() += 1;
        }
        if let Some(ledger) = &outcome.ledger {
            self.findings += ledger.findings.published;
            self.alerts += ledger.alerts_published;
            self.refused = self.refused.max(ledger.rule_files_refused);
            for sum in ledger.imbalances() {
                self.wrong += 1;
                complain(&format!("the ledger does not balance, which is a defect of bedrock-audit: {sum}"));
            }
        }
        if self.format == Format::Table {
            self.rows.push(outcome.row());
            return Ok(());
        }
        let mut out = io::stdout().lock();
        let line = outcome.json().to_string();
        writeln!(out, "{}", text::json(&line))
    }

    pub(super) fn end(self) -> io::Result<Ended> {
        if self.format == Format::Table {
            table::outcomes(&self.rows, &mut io::stdout().lock())?;
        }
        if self.planned > 0 {
            complain(&format!("{} would be replayed; nothing was", self.items));
            return Ok(Ended::Clean);
        }
        if self.refused > 0 {
            complain(&format!(
                "{} left out because of a mistake; each is a finding",
                counted(self.refused, "rule file")
            ));
        }
        let ends: Vec<String> = self.ends.iter().map(|(end, count)| format!("{count} {end}")).collect();
        complain(&format!(
            "{} handled, {} failed; logs: {}; {} and {} published",
            self.items - self.failed,
            self.failed,
            if ends.is_empty() { "none".to_owned() } else { ends.join(", ") },
            counted(self.findings, "finding"),
            counted(self.alerts, "alert"),
        ));
        Ok(if self.failed == 0 && self.wrong == 0 { Ended::Clean } else { Ended::NotRead })
    }
}
