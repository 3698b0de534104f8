//! `docs/coverage.md`, out of rules, catalogue, template and `published.json`. Only layout; nothing is decided here.

use std::collections::{BTreeMap, BTreeSet};

use detection::catalogue::{EXCUSES, Entry, Recorded, TOUCHED};

use super::{
    Judged, Watchers,
    published::Row,
    selectors::{Selected, Switch},
};

const CLASSES: [&str; 5] = ["read", "invoke", "write", "tag", "credential"];

type Watched = [(Entry, Watchers)];

pub(super) fn page(
    rules: &[Judged],
    watched: &Watched,
    tables: &BTreeMap<String, Vec<Row>>,
    selected: &Selected,
) -> String {
    [
        "<!-- Written by `make docs`: changes are overwritten. -->\n\n# Coverage\n\n\
         Which of Amazon Bedrock's operations are watched, by which rule, and which are not, and why. Computed from the\n\
         [rules](rules/README.md), their proofs and the [catalogue of operations](../shared/detection/data/README.md).\n\n\
         - [In figures](#in-figures)\n- [Operations that are watched](#operations-that-are-watched)\n\
         - [Operations without a rule](#operations-without-a-rule)\n- [What others publish](#what-others-publish)\n\
         - [What nobody publishes](#what-nobody-publishes)\n- [What to switch on](#what-to-switch-on)\n"
            .to_owned(),
        figures(rules, watched),
        watched_ones(rules, watched),
        excused_ones(watched),
        published(
            "What others publish",
            "Every detection for Bedrock in CloudTrail that we found published, by who publishes it. A test holds that the rule\n\
             named here fires on a record of what the detection looks for. \"Several records\" are for a SIEM, which keeps what\n\
             was before: findings go there with everything that such a rule counts by.",
            tables.get("published"),
        ),
        published(
            "What nobody publishes",
            "Detections that CloudTrail makes possible and that we found nowhere.",
            tables.get("unpublished"),
        ),
        feeding(rules, watched, selected),
    ]
    .join("\n")
}

fn figures(rules: &[Judged], watched: &Watched) -> String {
    let count = |source: &str, class: &str, watched_ones: bool| {
        let here = watched.iter().filter(|(entry, watchers)| {
            (source.is_empty() || entry.event_source == source)
                && (class.is_empty() || entry.class == class)
                && is_watched(watchers) == watched_ones
        });
        here.count()
    };
    let mut text = format!(
        "## In figures\n\n{} rules, {} operations: {} are watched, {} have no rule, for reasons told below. A cell says how many are \
         watched, of how many.\n\n| event source | {} | all |\n|---|{}---:|\n",
        rules.len(),
        watched.len(),
        count("", "", true),
        count("", "", false),
        CLASSES.join(" | "),
        "---:|".repeat(CLASSES.len()),
    );
    let sources: BTreeSet<&str> = watched.iter().map(|(entry, _)| entry.event_source).collect();
    for (name, source) in sources.iter().map(|source| (*source, *source)).chain([("all", "")]) {
        let cells: Vec<String> = CLASSES
            .iter()
            .chain(&[""])
            .map(|class| {
                let (yes, no) = (count(source, class, true), count(source, class, false));
                if yes + no == 0 { String::new() } else { format!("{yes} / {}", yes + no) }
            })
            .collect();
        text.push_str(&format!("| {name} | {} |\n", cells.join(" | ")));
    }
    text.push_str("\n| what it touches | operations | watched |\n|---|---:|---:|\n");
    for (touched, meaning) in TOUCHED {
        let here: Vec<_> = watched.iter().filter(|(entry, _)| entry.touches.contains(&touched)).collect();
        let there = here.iter().filter(|(_, watchers)| is_watched(watchers)).count();
        text.push_str(&format!("| `{touched}`: {meaning} | {} | {there} |\n", here.len()));
    }
    text
}

fn watched_ones(rules: &[Judged], watched: &Watched) -> String {
    let mut text = String::from(
        "## Operations that are watched\n\nA rule in *italics* fires only where the call is refused or fails.\n\n\
         | operation | class | touches | rules |\n|---|---|---|---|\n",
    );
    for (entry, watchers) in watched.iter().filter(|(_, watchers)| is_watched(watchers)) {
        let names = watchers.iter().filter(|(_, watch)| watch.about_the_call).map(|(judged, watch)| {
            let link = linked(&judged.name);
            if watch.of_success { link } else { format!("*{link}*") }
        });
        text.push_str(&format!(
            "| {} {} | {} | {} | {} |\n",
            short(entry.event_source),
            entry.event_name,
            entry.class,
            entry.touches.join(", "),
            names.collect::<Vec<_>>().join(", ")
        ));
    }
    text.push_str(
        "\n### Whoever calls\n\nThese are about who calls, from where or with what, and not about the call. They do not count as \
         watching an operation.\n\n| rule | fires on |\n|---|---|\n",
    );
    for judged in rules {
        let named = watched.iter().filter(|(_, watchers)| {
            watchers.iter().any(|(watcher, watch)| watcher.name == judged.name && !watch.about_the_call)
        });
        let on = match named.count() {
            _ if judged.any_operation => "calls of any name".to_owned(),
            0 => continue,
            1 => "1 operation".to_owned(),
            many => format!("{many} operations"),
        };
        text.push_str(&format!("| {} | {on} |\n", linked(&judged.name)));
    }
    text
}

/// Whether a rule is about this operation, whoever calls.
fn is_watched(watchers: &Watchers) -> bool {
    watchers.iter().any(|(_, watch)| watch.about_the_call)
}

fn excused_ones(watched: &Watched) -> String {
    let mut text = String::from(
        "## Operations without a rule\n\nWhat no rule is about, by the reason why. Rules about [who calls](#whoever-calls) see many of these \
         as well. An operation that is in none of these lists and comes from one of Bedrock's event sources is a finding of \
         its own: somebody has to look at it first. So is a name that only IAM knows, should CloudTrail ever write it.\n",
    );
    for (excuse, because) in EXCUSES {
        let mut names: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (entry, _) in
            watched.iter().filter(|(entry, watchers)| !is_watched(watchers) && entry.if_unwatched == Some(excuse))
        {
            names.entry(entry.event_source).or_default().push(entry.event_name);
        }
        let count: usize = names.values().map(Vec::len).sum();
        text.push_str(&format!("\n### {excuse} ({count})\n\n{because}\n"));
        for (source, names) in names {
            text.push_str(&format!("\n- {}: {}\n", short(source), names.join(", ")));
        }
    }
    let missed: Vec<String> = watched
        .iter()
        .filter(|(entry, watchers)| !is_watched(watchers) && entry.if_unwatched.is_none())
        .map(|(entry, _)| format!("- {} {}\n", short(entry.event_source), entry.event_name))
        .collect();
    if !missed.is_empty() {
        text.push_str(&format!("\n### For no reason ({})\n\nThese need a rule.\n\n{}", missed.len(), missed.concat()));
    }
    text
}

fn published(title: &str, opening: &str, rows: Option<&Vec<Row>>) -> String {
    let mut text = format!(
        "## {title}\n\n{opening}\n\n| source | detection | our rules | difference, and why |\n|---|---|---|---|\n"
    );
    for row in rows.into_iter().flatten() {
        let rules: Vec<String> = row.rules.iter().map(|name| linked(name)).collect();
        let (ours, why) =
            if row.rules.is_empty() { ("none".to_owned(), &row.reason) } else { (rules.join(", "), &row.difference) };
        text.push_str(&format!("| {} | {} | {ours} | {} |\n", cell(&row.source), cell(&row.detection), cell(why)));
    }
    text
}

/// What each selector of a trail brings, and which rules it feeds.
fn feeding(rules: &[Judged], watched: &Watched, selected: &Selected) -> String {
    let mut fed: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let network =
        |judged: &&Judged| judged.records.iter().all(|(_, record)| record["eventCategory"] == "NetworkActivity");
    for judged in rules.iter().filter(|judged| !judged.any_operation || network(judged)) {
        for feed in feeds(judged, watched) {
            fed.entry(feed).or_default().insert(&judged.name);
        }
    }
    let none = BTreeSet::new();
    let by_management = fed.get("management").unwrap_or(&none);
    let mut text = format!(
        "## What to switch on\n\nA rule sees what the trail records. The trail of `template.yaml` records management events, reads and \
         writes, which {} of {} rules live on, alone or with others: CloudTrail calls `InvokeModel` a read, so a trail for writes alone \
         loses it. Rules that fire on any operation see whatever is recorded. All that the table does not name are of these two kinds. What \
         else there is to select, and which rules it feeds:\n\n\
         | selector | in our template | rules |\n|---|---|---|\n",
        by_management.len(),
        rules.len(),
    );
    for (feed, names) in fed.iter().filter(|(feed, _)| *feed != "management") {
        let names: Vec<String> = names.iter().map(|name| linked(name)).collect();
        text.push_str(&format!("| {} | {} | {} |\n", named(feed), switch(feed, selected), names.join(", ")));
    }
    let idle = selected.keys().filter(|feed| *feed != "management" && !fed.contains_key(*feed));
    let idle: Vec<String> = idle.map(|feed| format!("- {}: {}\n", named(feed), switch(feed, selected))).collect();
    text.push_str(
        "\nOur template can record these too, which only rules of your own and those on any operation would see:\n\n",
    );
    text.push_str(&idle.concat());
    text
}

fn named(feed: &str) -> String {
    if feed.starts_with("AWS::") { format!("data events of `{feed}`") } else { feed.to_owned() }
}

fn switch(feed: &str, selected: &Selected) -> String {
    match selected.get(feed) {
        _ if feed == "undocumented" => "AWS does not say how it records some operations of these rules".to_owned(),
        Some(Switch::Always) => "always".to_owned(),
        Some(Switch::With(parameter)) => format!("with `{parameter}`"),
        Some(Switch::Unless(parameter)) => format!("yes, unless `{parameter}` is `no`"),
        None => "no: select it on a trail of your own".to_owned(),
    }
}

/// How the records come about that a rule fires on: as the catalogue says for Bedrock, as its proof shows elsewhere.
fn feeds(judged: &Judged, watched: &Watched) -> BTreeSet<String> {
    let watches = |watchers: &Watchers| watchers.iter().any(|(watcher, _)| watcher.name == judged.name);
    let entries = watched.iter().filter(|(_, watchers)| watches(watchers));
    let mut feeds: BTreeSet<String> = entries.flat_map(|(entry, _)| &entry.recorded).map(Recorded::to_string).collect();
    for (_, record) in &judged.records {
        let source = record["eventSource"].as_str().unwrap_or_default();
        if record["eventCategory"] == "NetworkActivity" {
            feeds.insert(format!("network activity of {source}"));
        } else if watched.iter().any(|(entry, _)| source == entry.event_source) {
            // The catalogue has said it.
        } else if record["eventCategory"] == "Data" || record["managementEvent"] == false {
            feeds.insert(record["resources"][0]["type"].as_str().unwrap_or("AWS::S3::Object").to_owned());
        } else {
            feeds.insert("management".to_owned());
        }
    }
    feeds
}

/// A link to a rule's page. Names of files are ours, and harmless.
fn linked(name: &str) -> String {
    format!("[{}](rules/{name}.md)", name.rsplit('/').next().unwrap_or(name))
}

/// Hand-written text in a table. It is ours, but may quote a `|`.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

fn short(source: &str) -> &str {
    source.strip_suffix(".amazonaws.com").unwrap_or(source)
}
