//! `scan`: logs on a disk through the same audit as delivered ones.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, IsTerminal as _, Read, Write as _},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use detection::{
    audit::{Audit, Audited},
    delivered_log::{Encoding, ObjectKind, classify},
    finding::{Finding, Form, Log},
    ledger::RecordCounts,
    rules::{Level, RuleSet, Stage, severity_id},
};
use indicatif::{ProgressBar, ProgressStyle};
use walkdir::WalkDir;

use crate::{Ended, Format, ScanArguments, complain, counted, rules, table};

/// What CloudTrail puts beside its logs.
const OTHER_FOLDERS: [&str; 3] = ["CloudTrail-Digest", "CloudTrail-Insight", "CloudTrail-Aggregated"];
/// Bytes read at once.
const PIECE: usize = 64 * 1024;
/// A JSON finding is never cut on a disk as it is in a message.
const NO_LIMIT: usize = usize::MAX;

/// What all logs came to.
#[derive(Default)]
pub(crate) struct Total {
    logs: u64,
    skipped: u64,
    pub(crate) not_read: u64,
    records: RecordCounts,
    found: u64,
    /// Kept for the table alone.
    findings: Vec<Finding>,
    left_out: u64,
    /// Of rules in shadow.
    watched: u64,
    /// Silenced by exceptions.
    excepted: u64,
    /// What exceptions in shadow would have silenced, by their ids.
    exceptions_shadowed: BTreeMap<String, u64>,
}

/// Which findings are shown, and how.
struct Shown {
    least: u8,
    shadow: bool,
    format: Format,
}

pub(crate) fn scan(arguments: &ScanArguments) -> io::Result<Ended> {
    let loaded = rules::load(arguments.rules.as_deref(), arguments.lists.as_deref())?;
    let mut total = Total { not_read: loaded.refused.len() as u64, ..Total::default() };
    let rule_set = &loaded.rule_set;
    let format = arguments.format.unwrap_or(if io::stdout().is_terminal() { Format::Table } else { Format::Json });
    let shown = Shown { least: severity_id(Level::from(arguments.min_severity)), shadow: arguments.shadow, format };

    let files = files(&arguments.paths, &mut total);
    let progress = progress(files.len() as u64);
    for path in &files {
        progress.inc(1);
        match audit(path, rule_set, arguments.max_unpacked * 1024 * 1024) {
            Ok(audited) => match enter(audited, &shown, &mut total, &progress) {
                // The reader of the pipe has seen enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                entered => entered?,
            },
            Err(error) => {
                total.not_read += 1;
                progress.suspend(|| complain(&format!("{} cannot be read: {error}", path.display())));
            }
        }
    }
    progress.finish_and_clear();

    if format == Format::Table {
        total.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity_id()));
        table::findings(&total.findings, &mut io::stdout().lock())?;
    }
    let found = total.found;
    let left_out = match total.left_out {
        0 => String::new(),
        left_out => format!(" ({left_out} more below the lowest severity asked for)"),
    };
    let watched = match total.watched {
        0 => String::new(),
        watched => format!(" ({watched} of rules in shadow not shown; --shadow shows them)"),
    };
    if arguments.shadow {
        for exception in rule_set.exceptions() {
            if let Some(count) = total.exceptions_shadowed.get(&exception.id) {
                let title = detection::text::neutral(&exception.title, 200);
                complain(&format!("{}: the exception in shadow would silence {count}: {title}", exception.path));
            }
        }
    }
    let excepted = match (total.excepted, total.exceptions_shadowed.values().sum::<u64>()) {
        (0, 0) => String::new(),
        (excepted, 0) => format!(" ({excepted} excepted)"),
        (excepted, shadowed) => format!(" ({excepted} excepted; exceptions in shadow would silence {shadowed})"),
    };
    complain(&format!(
        "{}, {}, {}{left_out}{watched}{excepted}; {} skipped, {} not read whole",
        counted(total.logs, "log"),
        counted(total.records.total, "record"),
        counted(found, "finding"),
        counted(total.skipped, "file"),
        total.not_read
    ));
    Ok(match (total.not_read, found) {
        (1.., _) => Ended::NotRead,
        (0, 1..) => Ended::Found,
        (0, 0) => Ended::Clean,
    })
}

/// Every file that is to be read, in a stable order. What is not there is told, and the rest is read all the same.
pub(crate) fn files(paths: &[PathBuf], total: &mut Total) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            // A missing file is told when it is opened.
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        let skipped = total.skipped;
        for entry in WalkDir::new(path).follow_links(true).sort_by_file_name() {
            match entry {
                Ok(entry) if entry.file_type().is_file() && is_log_name(entry.path()) => {
                    if is_other(entry.path()) {
                        total.skipped += 1;
                    } else {
                        files.push(entry.into_path());
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    total.not_read += 1;
                    complain(&error.to_string());
                }
            }
        }
        if files.len() == before {
            total.not_read += 1;
            let kept = total.skipped - skipped;
            let skipped = if kept > 0 { format!(" ({kept} files of other kinds were skipped)") } else { String::new() };
            complain(&format!("{} has no .json or .json.gz log in it{skipped}", path.display()));
        }
    }
    files
}

fn is_log_name(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    name.ends_with(".json") || name.ends_with(".json.gz")
}

/// In a copy of a log bucket the folders say what a file is: digests and the like are no logs. Anywhere else a file is
/// what it holds.
fn is_other(path: &Path) -> bool {
    let key = path.to_string_lossy().replace('\\', "/");
    // Whoever copies only a part of a bucket loses the folder above, but not the name of this one.
    if key.split('/').rev().skip(1).any(|part| OTHER_FOLDERS.contains(&part)) {
        return true;
    }
    let below_a_bucket = key.split('/').any(|part| part == "AWSLogs");
    let packed = if key.ends_with(".gz") { key } else { format!("{key}.gz") };
    below_a_bucket && matches!(classify(&packed), ObjectKind::Other { folder } if folder != "not under AWSLogs")
}

fn audit(path: &Path, rule_set: &RuleSet, limit: u64) -> io::Result<Audited> {
    let (from, encoding) = open(path)?;
    let log = Log { bucket: None, key: path.display().to_string(), read_at_ms: now_ms() };
    let mut audit = Audit::new(rule_set, log, encoding, limit);
    pour(from, |bytes| audit.push(bytes))?;
    Ok(audit.finish())
}

/// A file, or standard input for `-`, and how it is packed.
pub(crate) fn open(path: &Path) -> io::Result<(impl BufRead, Encoding)> {
    let from: Box<dyn Read> = if path == Path::new("-") { Box::new(io::stdin()) } else { Box::new(File::open(path)?) };
    let mut from = BufReader::with_capacity(PIECE, from);
    let encoding = if from.fill_buf()?.starts_with(&[0x1f, 0x8b]) { Encoding::Gzip } else { Encoding::Plain };
    Ok((from, encoding))
}

/// Gives all bytes to `take`, piece by piece, until it wants no more.
pub(crate) fn pour(mut from: impl BufRead, mut take: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
    loop {
        let bytes = from.fill_buf()?;
        let length = bytes.len();
        if length == 0 || !take(bytes) {
            return Ok(());
        }
        from.consume(length);
    }
}

fn enter(audited: Audited, shown: &Shown, total: &mut Total, progress: &ProgressBar) -> io::Result<()> {
    total.logs += 1;
    total.records.total += audited.records.total;
    total.excepted += audited.excepted.values().sum::<u64>();
    for (id, count) in audited.exceptions_shadowed {
        *total.exceptions_shadowed.entry(id).or_default() += count;
    }
    if audited.damage.is_some() || audited.records.unreadable > 0 {
        total.not_read += 1;
    }
    if audited.records.unreadable > 0 {
        let (unreadable, all) = (audited.records.unreadable, counted(audited.records.total, "record"));
        progress.suspend(|| complain(&format!("{}: {unreadable} of {all} could not be read", audited.log.location())));
    }
    if let Some(damage) = &audited.damage {
        progress.suspend(|| complain(&format!("{}: {damage}", audited.log.location())));
    }
    let (findings, watched): (Vec<_>, Vec<_>) =
        audited.findings.into_iter().partition(|finding| shown.shadow || finding.about.stage == Stage::Live);
    total.watched += watched.len() as u64;
    let (findings, left_out): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| finding.severity_id() >= shown.least);
    total.left_out += left_out.len() as u64;
    total.found += findings.len() as u64;
    if shown.format == Format::Json {
        // As they are found, so that a long scan can be watched through a pipe.
        progress.suspend(|| {
            let mut out = io::stdout().lock();
            findings.iter().try_for_each(|finding| writeln!(out, "{}", finding.to_ocsf(NO_LIMIT, Form::Full)))
        })?;
    }
    if shown.format == Format::Table {
        total.findings.extend(findings.into_iter().map(|mut finding| {
            finding.forget_records();
            finding
        }));
    }
    Ok(())
}

/// Shown on a terminal, and only where there is something to wait for.
fn progress(files: u64) -> ProgressBar {
    if files < 20 || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(files);
    match ProgressStyle::with_template("{bar:40} {pos}/{len} logs, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|now| i64::try_from(now.as_millis()).ok()).unwrap_or(0)
}
