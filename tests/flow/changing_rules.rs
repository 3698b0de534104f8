//! Rules and lists that change while the detector is warm, that take long, that are wrong, and that a start does without.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use detector::live_rules::{Fixed, Listed, LiveRules, RulesSource, Unread};

use super::{Bench, DELETED, bad_log, given_back, rule_on, s3, sqs};
use crate::{
    balance,
    samples::{BUILTIN, log, ordinary},
};

/// Rule files that change while the detector is warm. `None` for a file that is listed and cannot be read.
#[derive(Clone, Default)]
pub(crate) struct MemoryRules {
    files: Arc<Mutex<BTreeMap<String, Option<String>>>>,
    cannot_be_listed: Arc<Mutex<bool>>,
    reads: Arc<Mutex<Vec<String>>>,
    /// How long it takes to read a file.
    read_takes: Arc<Mutex<Duration>>,
}

impl MemoryRules {
    pub(crate) fn put(&self, path: &str, text: Option<&str>) {
        self.files.lock().unwrap().insert(path.to_owned(), text.map(str::to_owned));
    }
}

impl RulesSource for MemoryRules {
    fn name(&self) -> String {
        "s3://rules/".to_owned()
    }

    async fn list(&self) -> Result<Vec<Listed>, String> {
        if *self.cannot_be_listed.lock().unwrap() {
            return Err("AccessDenied".to_owned());
        }
        let files = self.files.lock().unwrap();
        Ok(files
            .iter()
            .map(|(path, text)| Listed {
                path: path.clone(),
                version: format!("{text:?}"),
                size: text.as_ref().map_or(9, String::len) as u64,
                is_lists: path == "elsewhere.yml",
            })
            .collect())
    }

    async fn read(&self, file: &Listed) -> Result<String, Unread> {
        self.reads.lock().unwrap().push(file.path.clone());
        let read_takes = *self.read_takes.lock().unwrap();
        if !read_takes.is_zero() {
            tokio::time::sleep(read_takes).await;
        }
        let unread = if file.path.starts_with("locked") { Unread::Ever } else { Unread::Yet };
        self.files.lock().unwrap()[&file.path].clone().ok_or_else(|| unread("it broke off".to_owned()))
    }
}

/// A team changes its rules on a running system: what it writes is in force a minute later, and no mistake of its takes
/// anything away.
#[tokio::test(start_paused = true)]
async fn rules_change_while_it_is_warm() {
    let bench = Bench::with("one", log(&[ordinary(1)]));
    let rules = MemoryRules::default();
    rules.put("a.yml", Some(&rule_on("ListBuckets")));
    let handler = bench.handler_with(LiveRules::from_source(rules.clone(), Fixed::default()));
    let minutes = async |minutes: u64| {
        tokio::time::advance(Duration::from_secs(60 * minutes)).await;
        let invocation = balance::wake(&handler, s3(&["one"]), Duration::from_secs(120)).await;
        assert!(invocation.answer.is_ok());
        let mut titles = bench.titles();
        bench.topics.findings.lock().unwrap().clear();
        titles.sort();
        (titles, invocation.ledger.rule_files_refused)
    };
    let seen = |name: &str| vec![format!("{name} seen (success)")];
    assert_eq!(minutes(0).await, (seen("ListBuckets"), 0));

    // Not asked again within the minute; then only what changed is read.
    rules.put("b.yml", Some(&rule_on("DeleteBucket")));
    assert_eq!(minutes(0).await, (seen("ListBuckets"), 0));
    assert_eq!(minutes(1).await, (seen("ListBuckets"), 0));
    assert_eq!(*rules.reads.lock().unwrap(), ["a.yml", "b.yml"]);
    assert_eq!(minutes(1).await, (seen("ListBuckets"), 0));
    assert_eq!(rules.reads.lock().unwrap().len(), 2);

    // A mistake: the last good version stays, somebody is told once, and the ledger says it until it is mended.
    rules.put("a.yml", Some("title: ["));
    let with = |title: &str| [vec![title.to_owned()], seen("ListBuckets")].concat();
    assert_eq!(minutes(1).await, (with("A rule file is wrong"), 1));
    assert_eq!(minutes(1).await, (seen("ListBuckets"), 1));
    // Then it cannot be read either, then not even listed: each is told, and nothing else changes.
    rules.put("a.yml", None);
    assert_eq!(minutes(1).await, (with("A rule file is wrong"), 2));
    *rules.cannot_be_listed.lock().unwrap() = true;
    assert_eq!(minutes(1).await, (with("A rule file is wrong"), 3));
    *rules.cannot_be_listed.lock().unwrap() = false;

    // More than anybody writes by hand is not even read.
    rules.put("large.yml", Some(&"#".repeat(17 << 20)));
    let reads = rules.reads.lock().unwrap().len();
    assert_eq!(minutes(1).await, (with("A rule file is wrong"), 3));
    assert_eq!(rules.reads.lock().unwrap().len(), reads);
    rules.files.lock().unwrap().remove("large.yml");
    (0..5_000).for_each(|number| rules.put(&format!("many/{number}.yml"), Some("#")));
    assert_eq!(minutes(1).await, (with("A rule file is wrong"), 3));
    assert_eq!(rules.reads.lock().unwrap().len(), reads);
    rules.files.lock().unwrap().retain(|path, _| !path.starts_with("many/"));

    // Mended, and removed: what is no longer there is no longer in force.
    rules.put("a.yml", Some(&rule_on("ListBuckets")));
    assert_eq!(minutes(1).await, (seen("ListBuckets"), 0));
    rules.files.lock().unwrap().remove("a.yml");
    assert_eq!(minutes(1).await, (Vec::new(), 0));
    rules.files.lock().unwrap().clear();
    assert_eq!(
        minutes(1).await,
        (vec!["A rule file is wrong".to_owned()], 1),
        "a source without rules is a mistake, too"
    );
}

/// Whoever writes thousands of rules, or whose bucket is slow, keeps no log waiting for longer than two seconds.
#[tokio::test(start_paused = true)]
async fn rules_that_take_long_to_read_hold_no_invocation_up() {
    let bench = Bench::with("one", log(&[ordinary(1)]));
    let rules = MemoryRules::default();
    rules.put("a.yml", Some(&rule_on("ListBuckets")));
    let handler = bench.handler_with(LiveRules::from_source(rules.clone(), Fixed::default()));
    let wake = async || {
        let woken = tokio::time::Instant::now();
        let invocation = balance::wake(&handler, s3(&["one"]), Duration::from_secs(120)).await;
        assert!(invocation.answer.is_ok());
        assert!(woken.elapsed() < Duration::from_secs(3), "{:?}", woken.elapsed());
        let titles = bench.titles();
        bench.topics.findings.lock().unwrap().clear();
        (titles, invocation.ledger.rule_files_refused)
    };
    let old = (vec!["ListBuckets seen (success)".to_owned()], 0);
    assert_eq!(wake().await, old);

    tokio::time::advance(Duration::from_secs(60)).await;
    *rules.read_takes.lock().unwrap() = Duration::from_secs(300);
    rules.put("a.yml", Some(&rule_on("DeleteBucket")));
    for _ in 0..3 {
        assert_eq!(wake().await, old, "the rules that are there go on judging");
    }
    assert_eq!(rules.reads.lock().unwrap().len(), 2, "it is read once, however many invocations that takes");
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(wake().await, (Vec::new(), 0));
    rules.put("a.yml", Some(&rule_on("ListBuckets")));
    assert_eq!(wake().await, (Vec::new(), 0), "within the minute, nobody asks again");

    // If it fails in the end, that is told, and nothing is forgotten.
    tokio::time::advance(Duration::from_secs(60)).await;
    rules.put("a.yml", None);
    assert_eq!(wake().await, (Vec::new(), 0));
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(wake().await, (vec!["A rule file is wrong".to_owned()], 1));
}

/// Everything of an invocation runs in one thread; thousands of rules are compiled in another.
#[tokio::test]
async fn rules_are_compiled_beside_what_an_invocation_does() {
    let rules = MemoryRules::default();
    for number in 0..500 {
        rules.put(&format!("{number}.yml"), Some(&rule_on(&format!("Call{number}"))));
    }
    let live = LiveRules::from_source(rules.clone(), Fixed::default());
    let mut turns = 0_u32;
    let others = async {
        loop {
            turns += 1;
            tokio::task::yield_now().await;
        }
    };
    let in_force = tokio::select! {
        in_force = live.in_force() => in_force.unwrap(),
        () = others => unreachable!("it never ends"),
    };
    assert_eq!(in_force.rule_set.rules().len(), BUILTIN.rules().len() + 500);
    // Reading takes a turn for every file at most; while they are compiled, there are many thousands.
    assert!(turns > 2_000, "{turns}");
}

/// Lists beside the rules (`lists.yml`) and lists that stand apart (LISTS_URI): both change while it is warm, and a wrong
/// one takes nothing away.
#[tokio::test(start_paused = true)]
async fn lists_change_while_it_is_warm() {
    let bench = Bench::with("one", log(&[ordinary(1)]));
    let rules = MemoryRules::default();
    let waits = rule_on("ListBuckets").replace("eventName: ListBuckets", "eventName|expand: '%names%'")
        + "requires_list: names\n";
    rules.put("a.yml", Some(&waits));
    let handler = bench.handler_with(LiveRules::from_source(rules.clone(), Fixed::default()));
    let a_minute_later = async || {
        tokio::time::advance(Duration::from_secs(60)).await;
        let invocation = balance::wake(&handler, s3(&["one"]), Duration::from_secs(120)).await;
        let titles = bench.titles();
        bench.topics.findings.lock().unwrap().clear();
        (
            titles,
            invocation.ledger.rules_waiting - BUILTIN.waiting().count() as u64,
            invocation.ledger.rule_files_refused,
        )
    };
    let found = vec!["ListBuckets seen (success)".to_owned()];
    let wrong = "A rule file is wrong".to_owned();
    assert_eq!(a_minute_later().await, (vec![wrong.clone()], 0, 1), "a rule whose list is not there is refused");
    rules.put("elsewhere.yml", Some("names: []\n"));
    assert_eq!(a_minute_later().await, (Vec::new(), 1, 0));
    rules.put("elsewhere.yml", Some("names: [ListBuckets]\n"));
    assert_eq!(a_minute_later().await, (found.clone(), 0, 0));
    rules.put("elsewhere.yml", Some("names: all\n"));
    assert_eq!(
        a_minute_later().await,
        ([vec![wrong.clone()], found.clone()].concat(), 0, 1),
        "the last good one stays"
    );
    // The one among the rules has the last word, and its last good version stays, too.
    rules.put("elsewhere.yml", Some("names: [DeleteBucket]\n"));
    rules.put("lists.yml", Some("Names: [ListBuckets]\n"));
    assert_eq!(a_minute_later().await, (found.clone(), 0, 0));
    rules.put("lists.yml", Some("names: {}\n"));
    assert_eq!(a_minute_later().await, ([vec![wrong], found].concat(), 0, 1));
    rules.files.lock().unwrap().remove("lists.yml");
    assert_eq!(a_minute_later().await, (Vec::new(), 0, 0));
}

/// On a cold start there is nothing to fall back on: nothing is judged, and everything comes again.
#[tokio::test(start_paused = true)]
async fn without_its_rules_a_cold_detector_judges_nothing() {
    let bench = Bench::with("one", bad_log());
    let rules = MemoryRules::default();
    *rules.cannot_be_listed.lock().unwrap() = true;
    let handler = bench.handler_with(LiveRules::from_source(rules.clone(), Fixed::default()));
    let invocation = balance::wake(&handler, sqs(&[("m1", s3(&["one"]))]), Duration::from_secs(120)).await;
    assert_eq!(given_back(&invocation), ["m1"]);
    assert_eq!((bench.titles().len(), invocation.ledger.logs.failed), (0, 1));

    // Not a minute later but at once: until there are rules, every event asks for them.
    *rules.cannot_be_listed.lock().unwrap() = false;
    rules.put("a.yml", None);
    let said = balance::wake(&handler, s3(&["one"]), Duration::from_secs(120)).await.answer.unwrap_err().to_string();
    assert!(said.contains("the rules at s3://rules/ cannot be read: a.yml: it broke off"), "{said}");
    rules.put("a.yml", Some(&rule_on("ListBuckets")));
    // One of several is enough: what it asks for, nobody would ever ask of this log.
    rules.put("b.yml", None);
    let said = balance::wake(&handler, s3(&["one"]), Duration::from_secs(120)).await.answer.unwrap_err().to_string();
    assert!(said.contains("cannot be read: b.yml: it broke off"), "{said}");
    assert_eq!(bench.titles().len(), 0);
    rules.put("b.yml", Some(&rule_on("DeleteGuardrail")));
    // But one that nobody can read keeps no other from judging, and is told.
    rules.put("locked.yml", None);
    let invocation = balance::wake(&handler, s3(&["one"]), Duration::from_secs(120)).await;
    assert_eq!((invocation.answer.is_ok(), invocation.ledger.rule_files_refused), (true, 1));
    let mut titles = bench.titles();
    titles.sort();
    let expected = ["A rule file is wrong", DELETED, "DeleteGuardrail seen (success)", "ListBuckets seen (success)"];
    assert_eq!(titles, expected);
    assert_eq!(rules.reads.lock().unwrap().iter().filter(|path| *path == "a.yml").count(), 2, "what was read is kept");
}

/// The next attempt reads only what could not be read: that this is one file that nobody can read does not mean that none can be.
#[tokio::test(start_paused = true)]
async fn a_start_that_failed_goes_on_with_what_it_read() {
    let bench = Bench::with("one", log(&[ordinary(1)]));
    let rules = MemoryRules::default();
    rules.put("a.yml", Some(&rule_on("ListBuckets")));
    rules.put("b.yml", None);
    rules.put("locked.yml", None);
    let handler = bench.handler_with(LiveRules::from_source(rules.clone(), Fixed::default()));
    let wake = async || balance::wake(&handler, s3(&["one"]), Duration::from_secs(120)).await;
    assert!(wake().await.answer.is_err());
    rules.files.lock().unwrap().remove("b.yml");
    let invocation = wake().await;
    assert_eq!((invocation.answer.is_ok(), invocation.ledger.rule_files_refused), (true, 1));
    assert!(bench.titles().contains(&"ListBuckets seen (success)".to_owned()));

    // Where nobody can read any, there is nothing to judge by.
    rules.files.lock().unwrap().remove("a.yml");
    let handler = bench.handler_with(LiveRules::from_source(rules.clone(), Fixed::default()));
    let said = balance::wake(&handler, s3(&["one"]), Duration::from_secs(120)).await.answer.unwrap_err().to_string();
    assert!(said.contains("cannot be read: locked.yml: it broke off"), "{said}");
}
