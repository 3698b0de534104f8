//! `rules`: what is in force, whether a folder of rules is right, and whether its proofs hold.

use std::{
    fs,
    io::{self, IsTerminal as _, StdoutLock, Write as _},
    path::Path,
};

use detection::{
    rules::{
        Lists, Loaded, Origin, Refused, RuleFile, RuleSet,
        lint::{self, Problem, Severity},
        proof::Proof,
        read_folder,
    },
    text::neutral,
};
use serde_json::Value;

use crate::{Ended, ListFormat, catalogue, complain, counted, exceptions, navigator, problems, table};

/// The built-in rules and those of a folder, with everything odd told on stderr.
pub(crate) fn load(folder: Option<&Path>, lists: Option<&Path>) -> io::Result<Loaded> {
    let (files, unread) = match folder {
        Some(folder) => read(folder)?,
        None => Default::default(),
    };
    let given = given(lists, &files)?;
    let odd: Vec<Problem> = given.iter().flat_map(|lists| lint::of_lists(lists, &files)).collect();
    let mut loaded = RuleSet::load_with(files, read_lists(lists)?);
    loaded.refused.extend(unread);
    tell(&loaded);
    odd.iter().for_each(|problem| complain(&format!("warning: {}: {}", problem.path, problem.text)));
    Ok(loaded)
}

/// The rules with one more file, which must be right, for what is made from them.
pub(crate) fn with(file: RuleFile, folder: Option<&Path>, lists: Option<&Path>) -> io::Result<RuleSet> {
    let (mut files, _) = match folder {
        Some(folder) => read(folder)?,
        None => Default::default(),
    };
    let path = file.path.clone();
    files.push(file);
    let loaded = RuleSet::load_with(files, read_lists(lists)?);
    match loaded.refused.iter().find(|refused| refused.path == path) {
        Some(refused) => Err(io::Error::other(refused.to_string())),
        None => Ok(loaded.rule_set),
    }
}

/// The built-in lists, with those of a file in their places.
pub(crate) fn read_lists(path: Option<&Path>) -> io::Result<Lists> {
    let mut lists = Lists::builtin();
    if let Some(path) = path {
        lists.replace(&lists_file(path)?).map_err(|refused| io::Error::other(refused.to_string()))?;
    }
    Ok(lists)
}

fn lists_file(path: &Path) -> io::Result<RuleFile> {
    let at = path.display().to_string();
    let text = fs::read_to_string(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{at} cannot be read: {error}")))?;
    Ok(RuleFile { path: at, text, origin: Origin::Outside })
}

/// Every file of lists: the one that was named, and those among the rules.
fn given(lists: Option<&Path>, files: &[RuleFile]) -> io::Result<Vec<RuleFile>> {
    let named = lists.map(lists_file).transpose()?;
    Ok(named.into_iter().chain(files.iter().filter(|file| file.is_lists()).cloned()).collect())
}

pub(crate) fn list(folder: Option<&Path>, lists: Option<&Path>, format: ListFormat) -> io::Result<Ended> {
    let loaded = load(folder, lists)?;
    let out = &mut io::stdout().lock();
    match format {
        ListFormat::Table => {
            table::rules(&loaded.rule_set, out)?;
            exceptions::list(&loaded.rule_set, out)?;
        }
        ListFormat::Json => write_json(&catalogue::json(&loaded.rule_set), out)?,
        ListFormat::Navigator => {
            let (layer, left_out) = navigator::layer(&loaded.rule_set);
            write_json(&layer, out)?;
            for (technique, rules) in left_out {
                complain(&format!(
                    "{technique} is left out, which ATT&CK {} does not have: {rules}",
                    navigator::ATTACK
                ));
            }
        }
    }
    Ok(if loaded.refused.is_empty() { Ended::Clean } else { Ended::NotRead })
}

fn write_json(value: &Value, out: &mut StdoutLock<'_>) -> io::Result<()> {
    let json = format!("{value:#}");
    // A program gets the values as they are; a terminal would act on them.
    if out.is_terminal() {
        return json.lines().try_for_each(|line| writeln!(out, "{}", neutral(line, usize::MAX)));
    }
    writeln!(out, "{json}")
}

pub(crate) fn check(folder: &Path, lists: Option<&Path>, require_proof: bool) -> io::Result<Ended> {
    let (files, unread) = read(folder)?;
    // Beside the built-in rules, as it will be used: an id may be taken already.
    let loaded = RuleSet::load_with(files.iter().cloned(), read_lists(lists)?);
    let given = given(lists, &files)?;
    let mut problems = lint::problems(&files, &loaded);
    // Those among the rules have been looked at with them.
    problems.extend(given.iter().take(usize::from(lists.is_some())).flat_map(|named| lint::of_lists(named, &files)));
    problems.extend(unread.iter().map(Problem::from));
    problems.extend(exceptions::problems(&loaded.rule_set));
    let rules: Vec<&RuleFile> = files.iter().filter(|file| is_rule(file)).collect();
    let (mut unproven, mut not_read) = (0, unread.len());
    for file in &rules {
        match proof_problem(&file.path, require_proof) {
            Ok(None) => {}
            Ok(Some(problem)) => {
                unproven += 1;
                problems.push(problem);
            }
            Err(error) => {
                not_read += 1;
                let text = format!("its proof cannot be read ({error})");
                problems.push(Problem::of_file(Severity::Error, &file.path, text));
            }
        }
    }
    let texts: Vec<&RuleFile> = files.iter().chain(&given).collect();
    problems::tell(&problems, &texts);
    let refused = rules.iter().filter(|file| loaded.refused.iter().any(|refused| refused.path == file.path)).count();
    let of = |severity| problems.iter().filter(|problem| problem.severity == severity).count() as u64;
    writeln!(
        io::stdout(),
        "{}: {} in force, {} refused, {unproven} without enough of a proof; {}, {}",
        counted(rules.len() as u64, "rule"),
        rules.len() - refused,
        refused + unread.len(),
        counted(of(Severity::Error), "problem"),
        counted(of(Severity::Warning), "warning")
    )?;
    given.iter().filter_map(sum_of_lists).try_for_each(|sum| writeln!(io::stdout(), "{sum}"))?;
    exceptions::sum(&loaded.rule_set, &files, &mut io::stdout().lock())?;
    Ok(match (not_read, of(Severity::Error)) {
        (1.., _) => Ended::NotRead,
        (0, 1..) => Ended::Found,
        (0, 0) => Ended::Clean,
    })
}

/// What a file of lists holds; nothing of one that is refused.
fn sum_of_lists(file: &RuleFile) -> Option<String> {
    let lists = Lists::of(file).ok()?;
    let entries = match lists.iter().map(|(_, entries)| entries.len()).sum() {
        1 => "1 entry".to_owned(),
        entries => format!("{entries} entries"),
    };
    Some(format!("{}: {}, {entries}", neutral(&file.path, 1_000), counted(lists.iter().count() as u64, "list")))
}

/// What a rule's proof lacks, without running it.
///
/// # Errors
/// When it is there and cannot be read.
fn proof_problem(rule: &str, require_proof: bool) -> io::Result<Option<Problem>> {
    let severity = if require_proof { Severity::Error } else { Severity::Warning };
    let text = match fs::read_to_string(proof_path(rule)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let path = proof_path(rule);
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let text = format!(
                "it has no proof beside it; write records that it must match and must ignore into {name} (rules/README.md)"
            );
            return Ok(Some(Problem::of_file(severity, rule, text)));
        }
        Err(error) => return Err(error),
    };
    let path = proof_path(rule).display().to_string();
    Ok(match Proof::parse(&text).map(|proof| proof.cases()) {
        Ok((2.., 2..)) => None,
        Ok((matches, ignores)) => {
            let text =
                format!("it proves too little ({matches} to match, {ignores} to ignore); write at least two of each");
            Some(Problem::of_file(severity, &path, text))
        }
        Err(error) => {
            let mut problem = Problem::of_file(Severity::Error, &path, format!("it is no proof: {error}"));
            (problem.line, problem.column) = (Some(error.line()), Some(error.column()));
            Some(problem)
        }
    })
}

/// The rules of a folder without the built-in ones, with everything odd told on stderr, and all its files. Exceptions and
/// overrides are left out: they are mostly about rules that do not lie there.
pub(crate) fn load_alone(folder: &Path, lists: Lists) -> io::Result<(Loaded, Vec<RuleFile>)> {
    let (files, unread) = read(folder)?;
    let rules = files.iter().filter(|file| !exceptions::governs(file)).cloned();
    let mut loaded = RuleSet::load_only_with(rules, lists);
    loaded.refused.extend(unread);
    tell(&loaded);
    Ok((loaded, files))
}

pub(crate) fn test(folder: &Path, lists: Option<&Path>) -> io::Result<Ended> {
    let lists = read_lists(lists)?;
    let (loaded, files) = load_alone(folder, lists.clone())?;
    let none = loaded.rule_set.rules().is_empty() && !files.iter().any(exceptions::governs);
    let mut ended = if loaded.refused.is_empty() && !none { Ended::Clean } else { Ended::NotRead };
    let (mut proven, mut unproven) = (0_u64, 0_u64);
    let mut out = io::stdout().lock();
    for rule in loaded.rule_set.rules() {
        let Some(file) = files.iter().find(|file| file.path == rule.path) else { continue };
        let path = proof_path(&rule.path);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                complain(&format!("{}: it has no proof beside it", rule.path));
                unproven += 1;
                continue;
            }
            Err(error) => return Err(error),
        };
        let failures = match Proof::parse(&text) {
            Ok(proof) => proof.failures_with(file, loaded.rule_set.lists()),
            Err(error) => vec![format!("{}: {error}", path.display())],
        };
        if failures.is_empty() {
            proven += 1;
        } else {
            ended = ended.max(Ended::Found);
            writeln!(out, "{}: {}", rule.path, rule.about.title)?;
            for failure in failures {
                writeln!(out, "  {failure}")?;
            }
        }
    }
    let wrong = loaded.rule_set.rules().len() as u64 - proven - unproven;
    writeln!(out, "{} proven, {wrong} not, {unproven} without a proof", counted(proven, "rule"))?;
    Ok(ended.max(exceptions::test(&files, lists, &mut out)?))
}

fn is_rule(file: &RuleFile) -> bool {
    !file.is_lists() && !exceptions::governs(file)
}

/// `NAME.yml` has its proof in `NAME.proof.json`.
pub(crate) fn proof_path(rule: &str) -> std::path::PathBuf {
    Path::new(rule).with_extension("proof.json")
}

/// The rules of a folder; none at all is a mistake in its name.
pub(crate) fn read(folder: &Path) -> io::Result<(Vec<RuleFile>, Vec<Refused>)> {
    if folder.is_file() {
        return Err(io::Error::other(format!("{} is a file; give the folder that holds it", folder.display())));
    }
    let read = read_folder(folder)
        .map_err(|error| io::Error::new(error.kind(), format!("{} cannot be listed: {error}", folder.display())))?;
    if read.0.is_empty() && read.1.is_empty() {
        return Err(io::Error::other(format!("{} holds no .yml file", folder.display())));
    }
    Ok(read)
}

pub(crate) fn tell(loaded: &Loaded) {
    loaded.refused.iter().for_each(|refused| complain(&format!("error: {refused}")));
    loaded.warnings.iter().for_each(|warning| complain(&format!("warning: {warning}")));
}
