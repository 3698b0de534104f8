//! Exceptions: "do not alert on this", as Sigma filter files with an owner, a reason and an end. A wrong one silences nothing.
//! What a filter matches is the engine's business.

use std::collections::{HashMap, HashSet};

use rsigma_parser::{FilterRule, FilterRuleTarget, LogSource, Status, parse_sigma_yaml};

use super::{
    RuleFile, RuleRef, Stage, Warning, bounds,
    check::{self, Fault, Refused},
    engine::Engine,
    lists::{self, Lists},
    load::MAX_FILE_BYTES,
    parser_fault::parser_fault,
    term::{self, Term},
};
use crate::ids;

/// A governed, expiring "do not alert on this".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// The filter's id; for one without, a UUID computed from its title.
    pub id: String,
    /// The filter's title.
    pub title: String,
    /// Path of its file, for messages.
    pub path: String,
    /// Who answers for it, why, and until when.
    pub term: Term,
    /// `shadow`: what it would silence is counted, and told all the same.
    pub stage: Stage,
    /// The rules that it is about; nothing: every rule.
    pub rules: Option<Vec<RuleRef>>,
}

/// All exceptions of a rule set. An exception's position is that of its filter in the engine.
#[derive(Debug, Default)]
pub(super) struct Exceptions {
    all: Vec<Exception>,
    of_rule: HashMap<RuleRef, Vec<usize>>,
    of_any: Vec<usize>,
    /// Rules that nothing is excepted from.
    always_told: HashSet<RuleRef>,
}

/// What exceptions may name.
pub(super) struct Known<'a> {
    /// Rules by their ids and Sigma names.
    pub(super) rules: &'a HashMap<String, Vec<RuleRef>>,
    pub(super) lists: &'a Lists,
}

impl Exceptions {
    /// No exceptions yet, and none from these rules ever.
    pub(super) fn from_all_but(always_told: HashSet<RuleRef>) -> Self {
        Self { always_told, ..Self::default() }
    }

    /// Adds the exception of a file.
    pub(super) fn add(
        &mut self,
        file: &RuleFile,
        known: &Known<'_>,
        engine: &mut Engine,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), Refused> {
        self.try_add(file, known, engine, warnings).map_err(|fault| fault.at(&file.path, &file.text))
    }

    fn try_add(
        &mut self,
        file: &RuleFile,
        known: &Known<'_>,
        engine: &mut Engine,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), Fault> {
        if file.text.len() as u64 > MAX_FILE_BYTES {
            return Err(Fault::new("", "it is larger than 1 MiB", "split it"));
        }
        let mut filter = parse(&file.text)?;
        says_which_rules(&file.text)?;
        check(&filter)?;
        lists::expand(&mut filter.detection, known.lists)?;
        bounds::check_size(&filter.detection)?;
        let term = Term::of(&with_date(&filter))?;
        let stage = term::stage(&filter.custom_attributes)?.unwrap_or_default();
        let rules = targets(&filter, known.rules)?;
        if rules.iter().flatten().any(|rule| self.always_told.contains(rule)) {
            let remedy = "take that rule out of it; it watches over exceptions themselves";
            return Err(Fault::new("rules:", "it names a rule that is always told", remedy));
        }
        let id = filter.id.clone().unwrap_or_else(|| ids::uuid(["exception", &filter.title]));
        if let Some(other) = self.all.iter().find(|other| other.id == id) {
            let problem = format!("{} has the same id", other.path);
            return Err(Fault::new("id:", problem, "give each exception an id of its own"));
        }
        let by_name = rules.as_deref() == Some(&[RuleRef::UnknownOperation]);
        engine.add_filter(&filter.detection, by_name)?;
        warn(&filter, file, warnings);
        let position = self.all.len();
        match &rules {
            Some(rules) => {
                rules.iter().for_each(|rule| self.of_rule.entry(*rule).or_default().push(position));
            }
            None => self.of_any.push(position),
        }
        self.all.push(Exception { id, title: filter.title, path: file.path.clone(), term, stage, rules });
        Ok(())
    }

    pub(super) fn all(&self) -> &[Exception] {
        &self.all
    }

    /// The positions of the exceptions from a rule.
    pub(super) fn of(&self, rule: RuleRef) -> impl Iterator<Item = usize> {
        let of_any = self.of_any.iter().filter(move |_| !self.always_told.contains(&rule));
        self.of_rule.get(&rule).into_iter().flatten().chain(of_any).copied()
    }
}

/// An id for an exception that is about these things: the same for the same ones.
#[must_use]
pub fn exception_id<'a>(about: impl IntoIterator<Item = &'a str>) -> String {
    ids::uuid(["exception"].into_iter().chain(about))
}

/// Whether a file is an exception: it has a Sigma `filter` where a rule has its `detection`.
pub(super) fn is_exception(text: &str) -> bool {
    text.lines().any(|line| line.strip_prefix("filter").is_some_and(|rest| rest.trim_start().starts_with(':')))
}

fn parse(text: &str) -> Result<FilterRule, Fault> {
    bounds::check_yaml(text)?;
    let collection = parse_sigma_yaml(text).map_err(|error| parser_fault(&error.to_string(), text))?;
    if let Some(error) = collection.errors.first() {
        return Err(parser_fault(error, text));
    }
    if !collection.rules.is_empty() || !collection.correlations.is_empty() {
        return Err(Fault::new("---", "it holds rules beside a filter", "write one file for each"));
    }
    let mut filters = collection.filters.into_iter();
    match (filters.next(), filters.next()) {
        (Some(filter), None) => Ok(filter),
        (None, _) => Err(Fault::new("filter:", "it holds no Sigma filter", "write one, or remove the file")),
        (Some(_), Some(_)) => Err(Fault::new("---", "it holds several filters", "write one file for each exception")),
    }
}

/// To Sigma a filter without `rules` is about all of them. Here that must be said: it is more often forgotten than meant.
fn says_which_rules(text: &str) -> Result<(), Fault> {
    let document: yaml_serde::Value =
        yaml_serde::from_str(text).map_err(|error| parser_fault(&error.to_string(), text))?;
    let rules = document.get("filter").and_then(|filter| filter.get("rules"));
    let said = match rules {
        Some(yaml_serde::Value::String(name)) => !name.is_empty(),
        Some(yaml_serde::Value::Sequence(names)) => {
            !names.is_empty() && names.iter().all(|name| name.as_str().is_some_and(|name| !name.is_empty()))
        }
        _ => false,
    };
    if said {
        return Ok(());
    }
    let remedy = "write `rules:` with a list of rule ids, or `rules: any` if every rule is meant";
    Err(Fault::new("filter:", "it does not say which rules it is about", remedy))
}

fn check(filter: &FilterRule) -> Result<(), Fault> {
    if filter.logsource.as_ref().is_some_and(|logsource| !takes_cloudtrail(logsource)) {
        let remedy = "write `product: aws` and `service: cloudtrail`, as the rules do";
        return Err(Fault::new("logsource:", "its logsource is not CloudTrail", remedy));
    }
    if filter.status == Some(Status::Unsupported) {
        return Err(Fault::new("status:", "its status is `unsupported`", "remove the file, or give it another status"));
    }
    check::check_detections(&filter.detection)
}

/// A filter's logsource may say less than a rule's, and nothing else.
fn takes_cloudtrail(logsource: &LogSource) -> bool {
    let is = |given: &Option<String>, wanted: &str| given.as_deref().is_none_or(|given| given == wanted);
    is(&logsource.product, "aws") && is(&logsource.service, "cloudtrail") && logsource.category.is_none()
}

/// Our own attributes, and Sigma's `date` among them.
fn with_date(filter: &FilterRule) -> HashMap<String, yaml_serde::Value> {
    let mut given = filter.custom_attributes.clone();
    given.extend(filter.date.clone().map(|date| ("date".to_owned(), yaml_serde::Value::String(date))));
    given
}

/// The rules that a filter names; nothing for `any`.
fn targets(filter: &FilterRule, named: &HashMap<String, Vec<RuleRef>>) -> Result<Option<Vec<RuleRef>>, Fault> {
    let FilterRuleTarget::Specific(names) = &filter.rules else { return Ok(None) };
    // Sigma takes it as the one word in place of the list.
    if names.as_slice() == ["any"] {
        return Ok(None);
    }
    let (mut rules, mut seen) = (Vec::new(), HashSet::new());
    for name in names {
        let Some(meant) = named.get(name) else {
            let remedy = match name.as_str() {
                "any" => "for every rule, write `rules: any` and no ids beside it",
                _ => "write the id of a rule; `bedrock-audit rules list` shows them",
            };
            return Err(Fault::new(name, format!("no rule has the id or the name `{name}`"), remedy));
        };
        rules.extend(meant.iter().copied().filter(|rule| seen.insert(*rule)));
    }
    Ok(Some(rules))
}

fn warn(filter: &FilterRule, file: &RuleFile, warnings: &mut Vec<Warning>) {
    let mut warn = |near: &str, text: String| {
        let (line, column) = check::place_of(near, &file.text).unzip();
        warnings.push(Warning { path: file.path.clone(), line, column, text });
    };
    let mut bare_accounts = Vec::new();
    for detection in filter.detection.named.values() {
        check::account_ids_without_quotes(detection, &mut bare_accounts);
    }
    bare_accounts.sort();
    for account in bare_accounts {
        warn(&account, format!("{account} is read as a number; write account ids in quotes"));
    }
    if filter.id.is_none() {
        warn("", "it has no id; one is computed from its title".to_owned());
    }
    let known = ["owner", "reason", "expires", "stage"];
    let mut unknown: Vec<&String> =
        filter.custom_attributes.keys().filter(|name| !known.contains(&name.as_str())).collect();
    unknown.sort();
    for name in unknown {
        warn(&format!("{name}:"), format!("the attribute `{name}` means nothing here and is ignored"));
    }
}
