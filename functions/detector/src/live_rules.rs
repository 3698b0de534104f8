//! The rules in force, renewed while the function is warm: a team changes its rules without a deployment. Knows no S3.

use std::{
    collections::{BTreeMap, HashSet},
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use detection::rules::{Lists, Loaded, MOST_RULE_FILES, Origin, Refused, RuleFile, RuleSet, Shelf};
use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{BoxFuture, Shared},
    stream,
};
use tokio::{task::spawn_blocking, time::Instant};
use tracing::{error, info, warn};

/// How often the source is asked at most.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// How long an invocation waits for newer rules while it has some. Five thousand changed files take longer to fetch and to
/// read: they come into force in a later invocation.
const HELD_UP: Duration = Duration::from_secs(2);
/// Files that are read at once.
const READ_AT_ONCE: usize = 8;
/// Bytes of all files together that are taken at most: who may write rules may not fill our memory.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// Where rule files come from.
pub trait RulesSource {
    /// Its name, for messages.
    fn name(&self) -> String;

    /// Every rule file that is there now.
    fn list(&self) -> impl Future<Output = Result<Vec<Listed>, String>> + Send;

    /// The text of a file, as long as it was when it was listed.
    fn read(&self, file: &Listed) -> impl Future<Output = Result<String, Unread>> + Send;
}

/// Why a rule file could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// It may be read the next time: until then nobody knows what it asks for.
    Yet(String),
    /// The file is to blame, and stays as it is until somebody corrects it.
    Ever(String),
}

impl Unread {
    fn why(&self) -> &str {
        match self {
            Self::Yet(why) | Self::Ever(why) => why,
        }
    }
}

/// A rule file of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its path in the source.
    pub path: String,
    /// What changes when the file changes (S3's ETag).
    pub version: String,
    /// Its size in bytes.
    pub size: u64,
    /// It holds lists that stand apart from the rules.
    pub is_lists: bool,
}

/// What is known from the start and does not change while the function is warm.
#[derive(Debug, Default)]
pub struct Fixed {
    /// Rule files beside the built-in ones.
    pub files: Vec<RuleFile>,
    /// Those that could not be read.
    pub unread: Vec<Refused>,
    /// The lists that rules are read with.
    pub lists: Lists,
}

/// A source that is not there: all rules are known from the start.
#[derive(Debug, Clone, Copy)]
pub struct NoSource;

impl RulesSource for NoSource {
    fn name(&self) -> String {
        String::new()
    }

    async fn list(&self) -> Result<Vec<Listed>, String> {
        Ok(Vec::new())
    }

    async fn read(&self, file: &Listed) -> Result<String, Unread> {
        Err(Unread::Ever(format!("there is no {}", file.path)))
    }
}

/// The rules to judge with, and what is wrong with the files they come from.
#[derive(Debug, Clone)]
pub struct InForce {
    /// The rules.
    pub rule_set: Arc<RuleSet>,
    /// The files that were left out, or whose last good version stands in for them.
    pub refused: Vec<Refused>,
}

/// The rules, kept up to date.
#[derive(Debug)]
pub struct LiveRules<R> {
    source: Option<Arc<R>>,
    now: Mutex<Now>,
    kept: Arc<Kept>,
}

/// What an invocation asks for, and never waits long for.
#[derive(Debug, Default)]
struct Now {
    in_force: Option<InForce>,
    asked: Option<Instant>,
    /// It goes on beside the invocations until it is done, however many that takes.
    renewal: Option<Renewal>,
}

type Renewal = Shared<BoxFuture<'static, Result<InForce, String>>>;

/// What the rules are made from: a renewal's alone.
#[derive(Debug)]
struct Kept {
    fixed: Fixed,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    in_force: Option<InForce>,
    shelf: Shelf,
    /// The last good lists of the source.
    lists: Option<Lists>,
    files: BTreeMap<String, Known>,
}

/// A file of the source as it was last seen.
#[derive(Debug, Default)]
struct Known {
    version: String,
    is_lists: bool,
    text: Option<String>,
    /// Why it could not be read the last time.
    trouble: Option<String>,
}

impl<R: RulesSource + Send + Sync + 'static> LiveRules<R> {
    /// Rules that never change: the built-in ones and these.
    #[must_use]
    pub fn fixed(fixed: Fixed) -> Self {
        let loaded = Shelf::default().load(fixed.files.clone(), &fixed.lists);
        let in_force = Some(in_force(loaded, fixed.unread.clone()));
        let kept = Arc::new(Kept { fixed, state: Mutex::default() });
        Self { source: None, now: Mutex::new(Now { in_force, ..Now::default() }), kept }
    }

    /// The built-in rules, these, and those of a source, which is first asked when the first record is to be judged.
    #[must_use]
    pub fn from_source(source: R, fixed: Fixed) -> Self {
        let kept = Arc::new(Kept { fixed, state: Mutex::default() });
        Self { source: Some(Arc::new(source)), now: Mutex::default(), kept }
    }

    /// The rules to judge with now. The source is asked at most once a minute, and only what has changed is read. Once there
    /// are rules, nobody waits longer than two seconds for others.
    ///
    /// # Errors
    /// When there are no rules yet and the source, or a file of it that is not itself to blame, cannot be read. Once there are
    /// some, they stay in force whatever happens, and what is wrong stands in `refused`.
    pub async fn in_force(&self) -> Result<InForce, String> {
        let (known, renewal) = {
            let mut now = self.now();
            let due = now.in_force.is_none() || now.asked.is_none_or(|asked| asked.elapsed() >= ASKED_AGAIN_AFTER);
            if let (Some(source), true, None) = (&self.source, due, &now.renewal) {
                now.renewal = Some(renewal(Arc::clone(source), Arc::clone(&self.kept)));
            }
            (now.in_force.clone(), now.renewal.clone())
        };
        let (Some(source), Some(renewal)) = (&self.source, renewal) else {
            return known.ok_or_else(|| "no rules are loaded".to_owned());
        };
        let renewed = match &known {
            None => renewal.await,
            Some(known) => match tokio::time::timeout(HELD_UP, renewal).await {
                Ok(renewed) => renewed,
                Err(_) => return Ok(known.clone()),
            },
        };
        {
            let mut now = self.now();
            (now.renewal, now.asked) = (None, Some(Instant::now()));
            now.in_force = renewed.as_ref().ok().cloned().or(now.in_force.take());
        }
        match (renewed, known) {
            (Ok(renewed), _) => Ok(renewed),
            (Err(why), None) => Err(format!("the rules at {} cannot be read: {why}", source.name())),
            (Err(why), Some(mut known)) => {
                known.refused.push(trouble(source.name(), &why, "the rules stay as they were until it can be"));
                Ok(known)
            }
        }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        // A panic elsewhere leaves nothing half done here: every change is made at once.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn renewal<R: RulesSource + Send + Sync + 'static>(source: Arc<R>, kept: Arc<Kept>) -> Renewal {
    let renewing = tokio::spawn(async move { renew(&*source, kept).await });
    renewing.map(|ended| ended.unwrap_or_else(|error| Err(format!("reading them ended: {error}")))).boxed().shared()
}

async fn renew(source: &impl RulesSource, kept: Arc<Kept>) -> Result<InForce, String> {
    let listed = source.list().await?;
    let bytes: u64 = listed.iter().map(|file| file.size).sum();
    if listed.len() > MOST_RULE_FILES || bytes > MOST_BYTES {
        return Err(format!(
            "it holds {} files of {bytes} bytes together; at most {MOST_RULE_FILES} of {MOST_BYTES} bytes are taken",
            listed.len()
        ));
    }
    let changed = match kept.state().changed(&listed) {
        Changed::Nothing(in_force) => return Ok(in_force),
        Changed::Files(changed) => changed,
    };
    let read: Vec<(Listed, Result<String, Unread>)> = stream::iter(changed)
        .map(|file| async move {
            let text = source.read(&file).await;
            (file, text)
        })
        .buffer_unordered(READ_AT_ONCE)
        .collect()
        .await;
    // Thousands of rules take seconds to compile. In a thread of its own that holds nobody up.
    let name = source.name();
    let taking = spawn_blocking(move || kept.state().take(name, &kept.fixed, &listed, read));
    taking.await.unwrap_or_else(|error| Err(format!("compiling them ended: {error}")))
}

impl Kept {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic in the middle of a change leaves it to the next renewal.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a source holds that is not known yet.
enum Changed {
    /// Nothing: these are the rules.
    Nothing(InForce),
    /// These files, or others are gone.
    Files(Vec<Listed>),
}

impl State {
    fn changed(&self, listed: &[Listed]) -> Changed {
        let is_known = |file: &&Listed| {
            let known = self.files.get(&file.path);
            known.is_some_and(|known| known.version == file.version && known.trouble.is_none())
        };
        let changed: Vec<Listed> = listed.iter().filter(|file| !is_known(file)).cloned().collect();
        match &self.in_force {
            Some(in_force) if changed.is_empty() && self.files.len() == listed.len() => {
                Changed::Nothing(in_force.clone())
            }
            _ => Changed::Files(changed),
        }
    }

    /// Why there are no rules to begin with, after what was read. What a file asks for that may be read a moment later, or all of
    /// them, must not go unasked: no log is read a second time for it. But a file that nobody can read keeps no other from
    /// being in force.
    fn missing(&self, broke_off: Option<String>) -> Option<String> {
        if broke_off.is_some() || self.files.values().any(|known| known.text.is_some()) {
            return broke_off;
        }
        self.files.iter().find_map(|(path, known)| Some(format!("{path}: {}", known.trouble.as_ref()?)))
    }

    /// Takes what was read of a source, and puts the rules into force.
    fn take(
        &mut self,
        source: String,
        fixed: &Fixed,
        listed: &[Listed],
        read: Vec<(Listed, Result<String, Unread>)>,
    ) -> Result<InForce, String> {
        let is_start = self.in_force.is_none();
        let broke_off = read.iter().find_map(|(file, text)| match text {
            Err(Unread::Yet(why)) => Some(format!("{}: {why}", file.path)),
            _ => None,
        });
        // Until it is done, nothing is: after a panic in the middle, the next renewal must not take all for unchanged.
        self.in_force = None;
        let there: HashSet<&str> = listed.iter().map(|file| file.path.as_str()).collect();
        self.files.retain(|path, _| there.contains(path.as_str()));
        for (file, text) in read {
            let known = self.files.entry(file.path).or_default();
            (known.version, known.is_lists) = (file.version, file.is_lists);
            // What could not be read this time stays as it was, and is asked for again.
            known.trouble = text.as_ref().err().map(|unread| unread.why().to_owned());
            known.text = text.ok().or_else(|| known.text.take());
        }
        if let (true, Some(why)) = (is_start, self.missing(broke_off)) {
            return Err(why);
        }
        let (mut files, mut unread) = (fixed.files.clone(), fixed.unread.clone());
        for (path, known) in &self.files {
            let file = known.text.clone().map(|text| RuleFile { path: path.clone(), text, origin: Origin::Outside });
            match file {
                Some(file) if known.is_lists => {
                    let mut lists = fixed.lists.clone();
                    match lists.replace(&file) {
                        Ok(()) => self.lists = Some(lists),
                        // The last good ones stay.
                        Err(refused) => unread.push(refused),
                    }
                }
                file => files.extend(file),
            }
            unread.extend(known.trouble.as_ref().map(|why| trouble(path.clone(), why, "see that it can be read")));
        }
        if listed.is_empty() {
            unread.push(Refused {
                path: source,
                line: None,
                column: None,
                problem: "it holds no .yml file".to_owned(),
                remedy: "put rules there, or take RULES_URI away".to_owned(),
            });
        }
        let renewed = in_force(self.shelf.load(files, self.lists.as_ref().unwrap_or(&fixed.lists)), unread);
        let rule_set = &renewed.rule_set;
        let (rules, exceptions) = (rule_set.rules().len(), rule_set.exceptions().len());
        let overrides = rule_set.overrides().len();
        info!(rule_set = rule_set.version(), rules, exceptions, overrides, "rules in force");
        self.in_force = Some(renewed.clone());
        Ok(renewed)
    }
}

fn in_force(loaded: Loaded, unread: Vec<Refused>) -> InForce {
    for warning in &loaded.warnings {
        warn!(%warning, "a rule file is odd");
    }
    let mut refused = loaded.refused;
    refused.extend(unread);
    for refused in &refused {
        error!(%refused, "a rule file is wrong");
    }
    InForce { rule_set: Arc::new(loaded.rule_set), refused }
}

fn trouble(path: String, why: &str, remedy: &str) -> Refused {
    Refused { path, line: None, column: None, problem: format!("it cannot be read ({why})"), remedy: remedy.to_owned() }
}
