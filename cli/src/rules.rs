//! `rules`: what is in force, whether a folder of rules is right, and whether its proofs hold.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use detection::rules::{Lists, Loaded, Origin, Refused, RuleFile, RuleSet, proof::Proof, read_folder};

use crate::{Ended, complain, counted, table};

/// The built-in rules and those of a folder, with everything odd told on stderr.
pub(crate) fn load(folder: Option<&Path>, lists: Option<&Path>) -> io::Result<Loaded> {
    let (files, unread) = match folder {
        Some(folder) => read(folder)?,
        None => Default::default(),
    };
    let mut loaded = RuleSet::load_with(files, read_lists(lists)?);
    loaded.refused.extend(unread);
    tell(&loaded);
    Ok(loaded)
}

/// The built-in lists, with those of a file in their places.
fn read_lists(path: Option<&Path>) -> io::Result<Lists> {
    let mut lists = Lists::builtin();
    if let Some(path) = path {
        let at = path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|error| io::Error::new(error.kind(), format!("{at} cannot be read: {error}")))?;
        let file = RuleFile { path: at, text, origin: Origin::Outside };
        lists.replace(&file).map_err(|refused| io::Error::other(refused.to_string()))?;
    }
    Ok(lists)
}

pub(crate) fn list(folder: Option<&Path>, lists: Option<&Path>) -> io::Result<Ended> {
    let loaded = load(folder, lists)?;
    table::rules(&loaded.rule_set, &mut io::stdout().lock())?;
    Ok(if loaded.refused.is_empty() { Ended::Clean } else { Ended::NotRead })
}

pub(crate) fn check(folder: &Path, lists: Option<&Path>, require_proof: bool) -> io::Result<Ended> {
    let (files, unread) = read(folder)?;
    let paths: Vec<String> = files.iter().filter(|file| !file.is_lists()).map(|file| file.path.clone()).collect();
    // Beside the built-in rules, as it will be used: an id may be taken already.
    let mut loaded = RuleSet::load_with(files, read_lists(lists)?);
    loaded.refused.extend(unread);
    tell(&loaded);
    let unproven: Vec<&String> = paths.iter().filter(|path| !proof_path(path).exists()).collect();
    for path in &unproven {
        complain(&format!("{path}: it has no proof beside it"));
    }
    let refused = loaded.refused.len();
    let right =
        paths.len() as u64 - loaded.refused.iter().filter(|refused| paths.contains(&refused.path)).count() as u64;
    writeln!(
        io::stdout(),
        "{}: {right} in force, {refused} refused, {} without a proof, {}",
        counted(paths.len() as u64, "rule"),
        unproven.len(),
        counted(loaded.warnings.len() as u64, "warning")
    )?;
    let clean = refused == 0 && (!require_proof || unproven.is_empty());
    Ok(if clean { Ended::Clean } else { Ended::NotRead })
}

pub(crate) fn test(folder: &Path) -> io::Result<Ended> {
    let (files, unread) = read(folder)?;
    let mut loaded = RuleSet::load_only(files.iter().cloned());
    loaded.refused.extend(unread);
    tell(&loaded);
    let none = loaded.rule_set.rules().is_empty();
    let mut ended = if loaded.refused.is_empty() && !none { Ended::Clean } else { Ended::NotRead };
    let (mut proven, mut unproven) = (0, 0);
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
            Ok(proof) => proof.failures(file),
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
    let wrong = loaded.rule_set.rules().len() - proven - unproven;
    writeln!(out, "{proven} rules are proven, {wrong} are not, {unproven} have no proof")?;
    Ok(ended)
}

/// `NAME.yml` has its proof in `NAME.proof.json`.
fn proof_path(rule: &str) -> std::path::PathBuf {
    Path::new(rule).with_extension("proof.json")
}

/// The rules of a folder; none at all is a mistake in its name.
fn read(folder: &Path) -> io::Result<(Vec<RuleFile>, Vec<Refused>)> {
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

fn tell(loaded: &Loaded) {
    loaded.refused.iter().for_each(|refused| complain(&refused.to_string()));
    loaded.warnings.iter().for_each(|warning| complain(&format!("warning: {warning}")));
}
