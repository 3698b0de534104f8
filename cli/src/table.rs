//! Tables for a terminal, as narrow as one. Text from a trail is made harmless before it stands in a cell.

use std::{
    env,
    io::{self, IsTerminal as _, Write},
    path::Path,
};

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};
use detection::{
    finding::Finding,
    rules::{Level, Origin, RuleSet, Stage},
    text::neutral,
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::scan;

/// A table with this header, and nothing in it yet.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic).set_header(header);
    if !io::stdout().is_terminal() {
        // A pipe has no width; who wants one says so as everywhere.
        let columns = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        table.set_width(columns.unwrap_or(120));
    }
    table
}

/// Below so many columns a table breaks account ids and words into pieces.
const NARROWEST: u16 = 60;

/// Writes a table or, where there is no room for one, each row as a block of its own.
pub(crate) fn write(table: &Table, out: &mut impl Write) -> io::Result<()> {
    if table.width().is_none_or(|width| width >= NARROWEST) {
        return writeln!(out, "{table}");
    }
    for row in table.row_iter() {
        let lines = row.cell_iter().map(Cell::content).filter(|content| !content.is_empty());
        for line in lines {
            writeln!(out, "{line}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn severity(level: Level, below: &str) -> Cell {
    let cell = Cell::new(format!("{}\n{below}", level.as_str()).trim_end());
    match level {
        Level::Critical => cell.fg(Color::Red).add_attribute(Attribute::Bold),
        Level::High => cell.fg(Color::Red),
        Level::Medium => cell.fg(Color::Yellow),
        Level::Low | Level::Informational => cell,
    }
}

/// Findings, as they come.
pub(crate) fn findings(findings: &[Finding], out: &mut impl Write) -> io::Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    let mut table = table(&["severity", "finding", "where"]);
    for finding in findings {
        let first = finding.matched().and_then(|matched| matched.first_ms);
        let when = first
            .and_then(|ms| OffsetDateTime::from_unix_timestamp(ms.div_euclid(1_000)).ok())
            .and_then(|time| time.format(&Rfc3339).ok())
            .map(|time| time.replace('T', "\n"))
            .unwrap_or_default();
        let mut place = vec![finding.account.clone().unwrap_or_default(), finding.region.clone().unwrap_or_default()];
        place.extend(finding.matched().and_then(|matched| matched.addresses.counts.keys().next().cloned()));
        let file = Path::new(finding.log.key.rsplit('/').next().unwrap_or_default());
        place.push(scan::named(file));
        let place: Vec<String> = place.iter().filter(|part| !part.is_empty()).map(|part| neutral(part, 60)).collect();
        table.add_row([
            severity(finding.severity, &when),
            Cell::new(format!("{}\n{}", neutral(&finding.title(), 200), neutral(&finding.story(), 400))),
            Cell::new(place.join("\n")),
        ]);
    }
    write(&table, out)
}

/// What became of what was replayed: outcome, name, details; all of them harmless text.
pub(crate) fn outcomes(rows: &[[String; 3]], out: &mut impl Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut table = table(&["outcome", "what", "details"]);
    for [outcome, what, details] in rows {
        let colour = if outcome == "failed" { Color::Red } else { Color::Reset };
        table.add_row([Cell::new(outcome).fg(colour), Cell::new(what), Cell::new(details)]);
    }
    write(&table, out)
}

/// The rules in force.
pub(crate) fn rules(rule_set: &RuleSet, out: &mut impl Write) -> io::Result<()> {
    let mut rules: Vec<_> = rule_set.rules().iter().collect();
    rules.sort_by(|a, b| (&a.about.family, &a.about.title).cmp(&(&b.about.family, &b.about.title)));
    let mut table = table(&["level", "rule", "family"]);
    for rule in rules {
        let mut lines = vec![neutral(&rule.about.title, 200), neutral(&rule.about.id, 60)];
        if rule.about.origin == Origin::Outside {
            lines.push(neutral(&rule.path, 200));
        }
        if let Some(list) = &rule.waits_for {
            lines.push(format!("waits for the list {}, which is empty", neutral(list, 60)));
        }
        let stage = if rule.about.stage == Stage::Shadow { "in shadow" } else { "" };
        table.add_row([
            severity(rule.about.level, stage),
            Cell::new(lines.join("\n")),
            Cell::new(rule.about.family.as_deref().unwrap_or("other")),
        ]);
    }
    write(&table, out)
}
