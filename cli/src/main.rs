//! `bedrock-audit`: the same core as the Lambda's, on your own disk, and for what the Lambda missed. Results on stdout,
//! everything else on stderr.

mod catalogue;
mod exceptions;
mod explain;
mod navigator;
mod pages;
mod problems;
mod progress;
mod replay;
mod rules;
mod scan;
mod table;
mod write_exception;

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand, ValueEnum};
use detection::rules::Level;

/// Finds what was done to Amazon Bedrock in CloudTrail logs on your own disk.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Scan delivered logs: files and folders, gzipped or plain, `-` for standard input
    ///
    /// Exit status: 0 nothing was found, 1 something was, 2 something could not be read (2 wins over 1).
    Scan(ScanArguments),
    /// Drive what was missed through the detector: parked messages, or logs of the days when nobody listened
    ///
    /// It reads logs from S3, publishes findings and alerts to SNS, and takes the detector's environment variables
    /// (FINDINGS_TOPIC_ARN, ALERTS_TOPIC_ARN, LOG_BUCKETS, RULES_URI, LISTS_URI and so on). A message is deleted only when
    /// everything in it was handled. Exit status: 0 everything was handled, 2 something was not.
    Replay(replay::ReplayArguments),
    /// Look at the rules
    #[command(subcommand)]
    Rules(RulesCommand),
}

#[derive(Debug, clap::Args)]
struct ScanArguments {
    /// Files or folders; in a folder, every file whose name ends in .json or .gz is read
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// How findings are written: a table by default on a terminal, JSON otherwise, one OCSF finding a line (with --explain one
    /// rule that could match the record)
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// A folder of Sigma rules to add to the built-in ones
    #[arg(long, value_name = "FOLDER")]
    rules: Option<PathBuf>,
    /// A file of lists in place of the built-in ones with the same names
    #[arg(long, value_name = "FILE")]
    lists: Option<PathBuf>,
    /// Leave out findings below this severity
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t = Severity::Informational)]
    min_severity: Severity,
    /// Show what rules in shadow find, too, and what each exception in shadow would silence
    #[arg(long)]
    shadow: bool,
    /// Say of the record with this eventID why each rule matches it or does not; exit status 2 if no log holds it
    #[arg(long, value_name = "EVENTID", conflicts_with_all = ["min_severity", "shadow"])]
    explain: Option<String>,
    /// Most MiB that one log may unpack to
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    max_unpacked: u64,
}

#[derive(Debug, Subcommand)]
enum RulesCommand {
    /// List the rules in force
    List {
        /// A folder of Sigma rules to add to the built-in ones
        #[arg(long, value_name = "FOLDER")]
        rules: Option<PathBuf>,
        /// A file of lists in place of the built-in ones with the same names
        #[arg(long, value_name = "FILE")]
        lists: Option<PathBuf>,
        /// How they are written
        #[arg(long, value_enum, default_value_t = ListFormat::Table)]
        format: ListFormat,
    },
    /// Check a folder of rules: what would be refused, what can never match, what is probably not meant
    ///
    /// Exit status: 0 nothing is wrong (there may be warnings), 1 something is, 2 something could not be read (2 wins over 1).
    Check {
        /// The folder
        folder: PathBuf,
        /// A file of lists in place of the built-in ones with the same names
        #[arg(long, value_name = "FILE")]
        lists: Option<PathBuf>,
        /// A rule without a proof beside it, or with fewer than two records to match and two to ignore, is wrong
        #[arg(long)]
        require_proof: bool,
    },
    /// Write an exception from a finding's rule, with its proof, for who did it, in that account and on that resource
    Except(write_exception::ExceptArguments),
    /// Run the proof beside each rule and exception of a folder: exit status 1 if one does not hold
    Test {
        /// The folder
        folder: PathBuf,
        /// A file of lists in place of the built-in ones with the same names
        #[arg(long, value_name = "FILE")]
        lists: Option<PathBuf>,
    },
    /// Write a page about each rule of a folder, and an index of them, in Markdown
    ///
    /// Exit status with --check: 0 the pages are as they would be written, 1 they are not, 2 something could not be read.
    Pages {
        /// The folder of rules
        folder: PathBuf,
        /// The folder to write to; pages of rules that are gone are removed from it
        pages: PathBuf,
        /// A file of lists in place of the built-in ones with the same names
        #[arg(long, value_name = "FILE")]
        lists: Option<PathBuf>,
        /// Write nothing, and say which pages are out of date
        #[arg(long)]
        check: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// For programs: one JSON object a line
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ListFormat {
    /// For people
    Table,
    /// One array with everything that is said of each rule
    Json,
    /// A layer for the MITRE ATT&CK Navigator: the techniques that the rules cover
    Navigator,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Severity {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

impl From<Severity> for Level {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Informational => Self::Informational,
            Severity::Low => Self::Low,
            Severity::Medium => Self::Medium,
            Severity::High => Self::High,
            Severity::Critical => Self::Critical,
        }
    }
}

/// How it ended. The order is that of the exit statuses: the worst wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ended {
    Clean,
    Found,
    NotRead,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Scan(arguments) => match &arguments.explain {
            Some(event_id) => explain::explain(event_id, &arguments),
            None => scan::scan(&arguments),
        },
        Command::Replay(arguments) => replay::replay(&arguments),
        Command::Rules(RulesCommand::Except(arguments)) => write_exception::except(&arguments),
        Command::Rules(RulesCommand::List { rules, lists, format }) => {
            rules::list(rules.as_deref(), lists.as_deref(), format)
        }
        Command::Rules(RulesCommand::Check { folder, lists, require_proof }) => {
            rules::check(&folder, lists.as_deref(), require_proof)
        }
        Command::Rules(RulesCommand::Test { folder, lists }) => rules::test(&folder, lists.as_deref()),
        Command::Rules(RulesCommand::Pages { folder, pages, lists, check }) => {
            pages::pages(&folder, &pages, lists.as_deref(), check)
        }
    };
    match result {
        Ok(Ended::Clean) => ExitCode::SUCCESS,
        Ok(Ended::Found) => ExitCode::from(1),
        Ok(Ended::NotRead) => ExitCode::from(2),
        // The reader of a pipe has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::from(2)
        }
    }
}

/// `1 log`, `2 logs`.
fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// One line on stderr. A closed stderr is no reason to stop.
fn complain(line: &str) {
    drop(writeln!(io::stderr(), "bedrock-audit: {}", detection::text::neutral(line, 2_000)));
}
