//! `scan`: logs on a disk through the same audit as delivered ones.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, IsTerminal as _, Read, Write as _},
    path::{Path, PathBuf},
};

use detection::{
    audit::{Audit, Audited},
    delivered_log::{Damage, Encoding, ObjectKind, classify},
    finding::{Finding, Form, Log},
    ledger::RecordCounts,
    rules::{Level, Loaded, RuleSet, Stage, severity_id},
};
use detector::deployed::now_ms;
use indicatif::ProgressBar;
use walkdir::WalkDir;

use crate::{Ended, Format, ScanArguments, complain, counted, progress, rules, table};

/// What CloudTrail puts beside its logs.
const OTHER_FOLDERS: [&str; 3] = ["CloudTrail-Digest", "CloudTrail-Insight", "CloudTrail-Aggregated"];
/// Bytes read at once.
const PIECE: usize = 64 * 1024;
/// From how many files on somebody waits.
const WORTH_A_BAR: usize = 20;
/// How records that came without their document get one.
const WRAP: &str = "; records that stand alone, one a line or in an array are wrapped by `jq -s '{Records: flatten}' FILE`, what \
                    lookup-events printed by `jq '{Records: [.Events[].CloudTrailEvent | fromjson]}' FILE`";
/// A JSON finding is never cut on a disk as it is in a message.
const NO_LIMIT: usize = usize::MAX;

/// What all logs came to.
#[derive(Default)]
pub(crate) struct Total {
    logs: u64,
    /// Files of a folder that are no logs, by their names or by where they lie.
    skipped: u64,
    not_read: u64,
    rule_files_refused: u64,
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
    /// How many files were not looked at when the reader of the findings went.
    not_looked_at: Option<u64>,
}

impl Total {
    /// Nothing yet, but what was wrong with the rules.
    pub(crate) fn with(loaded: &Loaded) -> Self {
        Self { rule_files_refused: loaded.refused.len() as u64, ..Self::default() }
    }

    /// Tells of a file that could not be read.
    pub(crate) fn cannot_be_read(&mut self, path: &Path, error: &io::Error) {
        self.not_read += 1;
        complain(&format!("{} cannot be read: {error}", named(path)));
    }

    /// Whether everything was read, the rules included.
    pub(crate) fn is_whole(&self) -> bool {
        self.not_read + self.rule_files_refused == 0
    }

    /// One line about all of it.
    fn summary(&self) -> String {
        let mut line = match self.not_looked_at {
            None => String::new(),
            Some(files) => {
                format!("stopped when nobody read on, with {} not looked at; until then ", counted(files, "file"))
            }
        };
        let (logs, records) = (counted(self.logs, "log"), counted(self.records.total, "record"));
        line.push_str(&format!("{logs}, {records}, {}", counted(self.found, "finding")));
        if self.left_out > 0 {
            line.push_str(&format!(" ({} more below the lowest severity asked for)", self.left_out));
        }
        if self.watched > 0 {
            line.push_str(&format!(" ({} of rules in shadow not shown; --shadow shows them)", self.watched));
        }
        match (self.excepted, self.exceptions_shadowed.values().sum::<u64>()) {
            (0, 0) => {}
            (excepted, 0) => line.push_str(&format!(" ({excepted} excepted)")),
            (excepted, shadowed) => {
                line.push_str(&format!(" ({excepted} excepted; exceptions in shadow would silence {shadowed})"));
            }
        }
        line.push_str(&format!("; {} skipped, {} not read whole", counted(self.skipped, "file"), self.not_read));
        if self.rule_files_refused > 0 {
            line.push_str(&format!("; {} refused", counted(self.rule_files_refused, "rule file")));
        }
        line
    }
}

/// Which findings are shown, and how.
struct Shown {
    least: u8,
    shadow: bool,
    format: Format,
}

pub(crate) fn scan(arguments: &ScanArguments) -> io::Result<Ended> {
    let loaded = rules::load(arguments.rules.as_deref(), arguments.lists.as_deref())?;
    let mut total = Total::with(&loaded);
    let rule_set = &loaded.rule_set;
    let format = arguments.format.unwrap_or(if io::stdout().is_terminal() { Format::Table } else { Format::Json });
    let shown = Shown { least: severity_id(Level::from(arguments.min_severity)), shadow: arguments.shadow, format };

    let files = files(&arguments.paths, &mut total);
    let progress = if files.len() < WORTH_A_BAR {
        ProgressBar::hidden()
    } else {
        progress::bar(Some(files.len() as u64), "{bar:40} {pos}/{len} logs, {eta} left")
    };
    for (at, path) in files.iter().enumerate() {
        progress.inc(1);
        match audit(path, rule_set, arguments.max_unpacked * 1024 * 1024) {
            Ok(audited) => match enter(audited, &shown, &mut total, &progress) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    total.not_looked_at = Some((files.len() - at - 1) as u64);
                    break;
                }
                entered => entered?,
            },
            Err(error) => progress.suspend(|| total.cannot_be_read(path, &error)),
        }
    }
    progress.finish_and_clear();

    if format == Format::Table {
        total.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity_id()));
        table::findings(&total.findings, &mut io::stdout().lock())?;
    }
    if arguments.shadow {
        tell_shadows(rule_set, &total);
    }
    complain(&total.summary());
    Ok(match (total.is_whole(), total.found) {
        (false, _) => Ended::NotRead,
        (true, 1..) => Ended::Found,
        (true, 0) => Ended::Clean,
    })
}

/// What each exception in shadow would silence.
fn tell_shadows(rule_set: &RuleSet, total: &Total) {
    for exception in rule_set.exceptions() {
        if let Some(count) = total.exceptions_shadowed.get(&exception.id) {
            let title = detection::text::neutral(&exception.title, 200);
            complain(&format!("{}: the exception in shadow would silence {count}: {title}", exception.path));
        }
    }
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
                Ok(entry) if entry.file_type().is_dir() => {}
                Ok(entry) if entry.file_type().is_file() && is_log(entry.path()) => files.push(entry.into_path()),
                Ok(_) => total.skipped += 1,
                Err(error) => {
                    total.not_read += 1;
                    complain(&error.to_string());
                }
            }
        }
        if files.len() == before {
            total.not_read += 1;
            let kept = counted(total.skipped - skipped, "file");
            complain(&format!("{} has no .json or .gz log in it ({kept} of other kinds skipped)", path.display()));
        }
    }
    files
}

/// How a file is called in a message.
pub(crate) fn named(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

fn is_log(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    (name.ends_with(".json") || name.ends_with(".gz")) && !is_other(path)
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
    // Whatever was done to the ending since.
    let stem = key.strip_suffix(".gz").unwrap_or(&key);
    let delivered = format!("{}.json.gz", stem.strip_suffix(".json").unwrap_or(stem));
    below_a_bucket && matches!(classify(&delivered), ObjectKind::Other { folder } if folder != "not under AWSLogs")
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
    let name = named(Path::new(&audited.log.key));
    if audited.records.unreadable > 0 {
        let (unreadable, all) = (audited.records.unreadable, counted(audited.records.total, "record"));
        progress.suspend(|| complain(&format!("{name}: {unreadable} of {all} could not be read")));
    }
    if let Some(damage) = &audited.damage {
        // Records get to a disk on other ways than through a trail's bucket.
        let is_wrapped = audited.records.total > 0 || !matches!(damage, Damage::Json { .. });
        let remedy = if is_wrapped { "" } else { WRAP };
        progress.suspend(|| complain(&format!("{name}: {damage}{remedy}")));
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
