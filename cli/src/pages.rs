//! `rules pages`: a page about each rule of a folder, and an index of them, in Markdown. The same rules give the same pages.

mod markdown;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use detection::{
    catalogue,
    rules::{Level, Rule, RuleFile, RuleSet, Stage, WhenHidden, proof::Proof, severity_id},
};
use yaml_serde::Mapping;

use crate::{Ended, complain, counted, rules};
use markdown::{block, code, code_in_cell, link, plain, prose};

/// The first line of every page: what does not begin with it is somebody's own and is left alone.
const MARK: &str = "<!-- Written by `bedrock-audit rules pages`: changes are overwritten. -->\n\n";

/// Members in which CloudTrail may hide or leave out something.
const HIDEABLE: [&str; 2] = ["requestParameters", "responseElements"];

pub(crate) fn pages(folder: &Path, pages: &Path, lists: Option<&Path>, check: bool) -> io::Result<Ended> {
    let (loaded, files) = rules::load_alone(folder, rules::read_lists(lists)?)?;
    if !loaded.refused.is_empty() {
        return Ok(Ended::NotRead);
    }
    let mut written = BTreeMap::from([(PathBuf::from("README.md"), index(folder, &loaded.rule_set))]);
    for rule in loaded.rule_set.rules() {
        let Some(file) = files.iter().find(|file| file.path == rule.path) else { continue };
        written.insert(page_of(folder, rule), page(rule, file, &loaded.rule_set)?);
    }
    let gone = generated(pages)?.into_iter().filter(|path| !written.contains_key(path));
    let gone: Vec<PathBuf> = gone.collect();
    if check { checked(pages, &written, &gone) } else { renew(pages, &written, &gone) }
}

fn renew(pages: &Path, written: &BTreeMap<PathBuf, String>, gone: &[PathBuf]) -> io::Result<Ended> {
    for (path, text) in written {
        let path = pages.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)?;
    }
    for path in gone {
        fs::remove_file(pages.join(path))?;
    }
    writeln!(io::stdout(), "{} written, {} removed", counted(written.len() as u64, "page"), gone.len())?;
    Ok(Ended::Clean)
}

fn checked(pages: &Path, written: &BTreeMap<PathBuf, String>, gone: &[PathBuf]) -> io::Result<Ended> {
    let mut ended = Ended::Clean;
    for (path, text) in written {
        // A page that cannot be read is out of date as well.
        if fs::read_to_string(pages.join(path)).is_ok_and(|there| there == *text) {
            continue;
        }
        complain(&format!("{} is out of date", pages.join(path).display()));
        ended = Ended::Found;
    }
    for path in gone {
        complain(&format!("{} is about a rule that is gone", pages.join(path).display()));
        ended = Ended::Found;
    }
    Ok(ended)
}

/// The pages that are there and were written by us, relative to their folder.
fn generated(pages: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    if !pages.exists() {
        return Ok(found);
    }
    for entry in walkdir::WalkDir::new(pages) {
        let path = entry?.into_path();
        let is_page = path.extension().is_some_and(|extension| extension == "md");
        if is_page && fs::read(&path)?.starts_with(MARK.as_bytes()) {
            found.extend(path.strip_prefix(pages).ok().map(Path::to_path_buf));
        }
    }
    Ok(found)
}

/// Where the page of a rule is: as its file, with another ending.
fn page_of(folder: &Path, rule: &Rule) -> PathBuf {
    let path = Path::new(&rule.path);
    path.strip_prefix(folder).unwrap_or(path).with_extension("md")
}

fn family(rule: &Rule) -> &str {
    rule.about.family.as_deref().unwrap_or("other")
}

fn page(rule: &Rule, file: &RuleFile, rule_set: &RuleSet) -> io::Result<String> {
    let about = &rule.about;
    let mut page = format!("{MARK}# {}\n\n{}\n\n", plain(&about.title), prose(&about.words().description));
    for (what, text) in facts(rule) {
        page.push_str(&format!("- **{what}**: {text}\n"));
    }
    page.push_str("\n## How it decides\n\n");
    let (words, yaml) = detection_of(&file.text)?;
    page.push_str(&words);
    page.push_str(&format!("\n{}", block("yaml", &yaml)));
    let hidden = visibility(rule, rule_set)?;
    if !hidden.is_empty() {
        page.push_str("\n## What may not be visible\n\n");
        page.push_str(when_hidden(rule));
        hidden.iter().for_each(|line| page.push_str(&format!("- {line}\n")));
    }
    section(&mut page, "What to do", "1.", about.words().respond.iter().map(|step| prose(step)));
    section(&mut page, "Known benign causes", "-", about.words().false_positives.iter().map(|cause| prose(cause)));
    if let Some(proof) = proof_of(rule)? {
        let case = |because: &str| prose(because);
        section(
            &mut page,
            "It fires, because",
            "-",
            proof
                .matches
                .iter()
                .map(|it| format!("{} ({}: {})", case(&it.because), plain(&it.outcome), it.severity.as_str())),
        );
        section(&mut page, "It is silent, because", "-", proof.ignores.iter().map(|it| case(&it.because)));
    }
    let techniques =
        about.words().tags.iter().filter_map(|tag| technique(tag)).map(|(name, url)| format!("[{name}]({url})"));
    section(&mut page, "Techniques", "-", techniques);
    section(&mut page, "References", "-", about.words().references.iter().map(|reference| link(reference)));
    Ok(page)
}

fn section(page: &mut String, title: &str, bullet: &str, lines: impl Iterator<Item = String>) {
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return;
    }
    page.push_str(&format!("\n## {title}\n\n"));
    lines.for_each(|line| page.push_str(&format!("{bullet} {line}\n")));
}

fn facts(rule: &Rule) -> Vec<(&'static str, String)> {
    let about = &rule.about;
    let level = |level: Level| level.as_str();
    let mut facts = vec![
        ("Family", plain(family(rule))),
        (
            "Severity",
            format!(
                "{} when the call succeeded, {} when it was denied, {} when it failed",
                level(about.level),
                level(rule.level_denied),
                level(rule.level_failed)
            ),
        ),
    ];
    if about.stage == Stage::Shadow {
        facts.push(("Stage", "shadow: what it finds is counted, and nobody is told".to_owned()));
    }
    if let Some(list) = &rule.waits_for {
        facts.push(("Needs", format!("the list {}; it waits while that is empty", code(list))));
    }
    if !rule.group_by.is_empty() {
        let fields: Vec<String> = rule.group_by.iter().map(|field| code(field)).collect();
        facts.push(("Findings are kept apart by", fields.join(", ")));
    }
    facts.push(("Id", code(&about.id)));
    facts.push(("File", code(&rule.path)));
    facts
}

/// The detection in words, and as it is written.
fn detection_of(text: &str) -> io::Result<(String, String)> {
    let rule: Mapping = yaml_serde::from_str(text).map_err(io::Error::other)?;
    let words = rule.get("detection").and_then(|detection| detection.as_mapping()).map(words::detection);
    let mut lines = text.lines().skip_while(|line| !line.starts_with("detection:"));
    let mut yaml: Vec<&str> = lines.next().into_iter().collect();
    // A comment at a line's beginning belongs to what follows it.
    yaml.extend(lines.take_while(|line| line.is_empty() || line.starts_with(' ')));
    Ok((words.unwrap_or_default(), yaml.join("\n").trim_end().to_owned()))
}

fn when_hidden(rule: &Rule) -> &'static str {
    match rule.when_hidden {
        WhenHidden::Alert => {
            "Where one of these is hidden and decides the rule, it fires all the same, with low confidence.\n\n"
        }
        WhenHidden::Ignore => {
            "Where one of these is hidden, a comparison with it is false. The ledger counts the records that stay undecided.\n\n"
        }
    }
}

/// What is known of the fields that CloudTrail may not show, out of the catalogue of operations.
fn visibility(rule: &Rule, rule_set: &RuleSet) -> io::Result<Vec<String>> {
    let position = rule_set.rules().iter().position(|other| other.about.id == rule.about.id);
    let entries = catalogue::builtin().map_err(io::Error::other)?;
    let operations: Vec<_> = entries
        .iter()
        .filter(|entry| {
            let candidates = rule_set.candidates(entry.event_source, entry.event_name);
            position.is_some_and(|position| candidates.contains(&position))
        })
        .collect();
    let mut lines = Vec::new();
    for field in &rule.fields {
        let mut path = field.split('.');
        match path.next() {
            Some(root) if HIDEABLE.contains(&root) => {}
            Some("derived") if !matches!(field.as_str(), "derived.outcome" | "derived.actor") => {
                lines.push(format!("{}: it is worked out of the request, as far as that is shown", code(field)));
                continue;
            }
            _ => continue,
        }
        let member = path.next().unwrap_or_default();
        let names = |there: &dyn Fn(&catalogue::Entry) -> bool| -> Vec<String> {
            operations.iter().filter(|entry| there(entry)).map(|entry| code(entry.event_name)).collect()
        };
        let in_request = field.starts_with("requestParameters");
        let secret = names(&|entry| in_request && entry.sensitive.contains(&member));
        let required =
            names(&|entry| in_request && entry.required.contains(&member) && !entry.sensitive.contains(&member));
        let line = match (secret.is_empty(), required.is_empty()) {
            (false, _) => format!("AWS calls it a secret of {}, so that CloudTrail hides it", secret.join(", ")),
            (true, false) => {
                format!("{} cannot be called without it, so that a record without it hides it", required.join(", "))
            }
            (true, true) => "CloudTrail may hide it, or leave it out as if it had not been given".to_owned(),
        };
        lines.push(format!("{}: {line}", code(field)));
    }
    Ok(lines)
}

fn proof_of(rule: &Rule) -> io::Result<Option<Proof>> {
    let path = rules::proof_path(&rule.path);
    match fs::read_to_string(&path) {
        Ok(text) => {
            Proof::parse(&text).map(Some).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A technique of ATT&CK or ATLAS, and where to read about it. A tactic is neither.
fn technique(tag: &str) -> Option<(String, String)> {
    let well_formed = |id: &str| !id.is_empty() && id.chars().all(|c| c.is_ascii_digit() || c == '.');
    if let Some(id) = tag.strip_prefix("attack.t").filter(|id| well_formed(id)) {
        return Some((
            format!("ATT&amp;CK T{id}"),
            format!("https://attack.mitre.org/techniques/T{}/", id.replace('.', "/")),
        ));
    }
    let id = tag.strip_prefix("atlas.aml.t").filter(|id| well_formed(id))?;
    Some((format!("ATLAS AML.T{id}"), format!("https://atlas.mitre.org/techniques/AML.T{id}")))
}

fn index(folder: &Path, rule_set: &RuleSet) -> String {
    let mut rules: Vec<&Rule> = rule_set.rules().iter().collect();
    let order =
        |rule: &Rule| (std::cmp::Reverse(severity_id(rule.about.level)), rule.about.title.clone(), rule.path.clone());
    rules.sort_by_key(|rule| order(rule));
    let to = |rule: &Rule| {
        let path = page_of(folder, rule).display().to_string().replace('\\', "/");
        // In angle brackets, a path may have anything in it but these.
        format!("[{}](<{}>)", plain(&rule.about.title), path.replace(['<', '>', '\n', '|'], "?"))
    };
    let mut families: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
    let mut severities: BTreeMap<_, Vec<&Rule>> = BTreeMap::new();
    let mut techniques: BTreeMap<(String, String), Vec<&Rule>> = BTreeMap::new();
    for rule in &rules {
        families.entry(family(rule)).or_default().push(rule);
        severities.entry(std::cmp::Reverse(severity_id(rule.about.level))).or_default().push(rule);
        rule.about
            .words()
            .tags
            .iter()
            .filter_map(|tag| technique(tag))
            .for_each(|tag| techniques.entry(tag).or_default().push(rule));
    }
    let mut page = format!("{MARK}# {}\n\n", counted(rules.len() as u64, "rule"));
    page.push_str(
        "By [family](#by-family), by [severity](#by-severity), by [technique](#by-technique).\n\n## By family\n",
    );
    for (family, rules) in &families {
        page.push_str(&format!(
            "\n### {}\n\n| rule | success | denied | failed | id |\n|---|---|---|---|---|\n",
            plain(family)
        ));
        for rule in rules {
            page.push_str(&format!(
                "| {} | {} | {} | {} | {} |\n",
                to(rule),
                rule.about.level.as_str(),
                rule.level_denied.as_str(),
                rule.level_failed.as_str(),
                code_in_cell(&rule.about.id)
            ));
        }
    }
    page.push_str("\n## By severity\n");
    for rules in severities.values() {
        let level = rules.first().map(|rule| rule.about.level.as_str()).unwrap_or_default();
        page.push_str(&format!("\n### {level}\n\n"));
        rules.iter().for_each(|rule| page.push_str(&format!("- {}\n", to(rule))));
    }
    page.push_str("\n## By technique\n\n| technique | rules |\n|---|---|\n");
    for ((name, url), rules) in &techniques {
        let rules: Vec<String> = rules.iter().map(|rule| to(rule)).collect();
        page.push_str(&format!("| [{name}]({url}) | {} |\n", rules.join("<br>")));
    }
    page
}
