//! Which faults a run meets, and when: drawn from the run's seed. Knows nothing of what they do.

use std::time::Duration;

use fastrand::Rng;

use super::{
    kinds::{Hits, Kind, Place},
    world::World,
};

/// A fault, and the requests that it strikes.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    /// Requests to its place that pass before it begins.
    skip: u32,
    /// Requests that it strikes then.
    times: u32,
    /// When it is over, on the run's clock.
    until: Duration,
    /// The one log that it concerns; any if there is none.
    log: Option<String>,
    /// Which of a batch's entries, and whether its minimal form is refused as well.
    pub(super) entry: usize,
    pub(super) minimal_too: bool,
}

/// The faults of a run, used up as they strike.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    faults: Vec<Fault>,
    pub(super) hits: Hits,
}

impl Plan {
    /// The first fault is of the kind `first`, so that a bench of enough runs meets every kind; up to three others follow.
    /// With rules in a bucket, another strikes when they are renewed. With `passing`, each is over after three requests.
    pub(super) fn draw(rng: &mut Rng, first: Kind, kinds: &[Kind], world: &World, passing: bool) -> Self {
        let (logs, with_rules) = (&world.logs, world.rules.is_some());
        let others = rng.usize(0..=3);
        let mut faults = vec![Fault::draw(rng, first, logs, 0)];
        for _ in 0..others {
            let (kind, skip) = (kinds[rng.usize(..kinds.len())], rng.u32(0..4));
            faults.push(Fault::draw(rng, kind, logs, skip));
        }
        if with_rules {
            let of_rules: Vec<Kind> = kinds.iter().copied().filter(|kind| kind.place().is_rules()).collect();
            let kind = of_rules[rng.usize(..of_rules.len())];
            // As often as a start asks: what comes then meets a detector that has its rules.
            let skip = match kind.place() {
                Place::RuleList => 2,
                Place::RuleFile => 4,
                _ => 6,
            };
            faults.push(Fault::draw(rng, kind, logs, skip));
        }
        if passing {
            faults.iter_mut().for_each(|fault| fault.times = fault.times.min(3));
        }
        Self { faults, hits: Hits::new() }
    }

    /// The fault that strikes a request to this place now, if any does.
    pub(super) fn strike(&mut self, place: Place, log: Option<&str>, now: Duration) -> Option<Fault> {
        for fault in &mut self.faults {
            let concerned = fault.log.is_none() || place != Place::S3 || fault.log.as_deref() == log;
            if !fault.kind.place().covers(place) || !concerned || fault.times == 0 || now >= fault.until {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            fault.times -= 1;
            return Some(fault.clone());
        }
        None
    }

    pub(super) fn count(&mut self, kind: Kind) {
        *self.hits.entry(kind).or_default() += 1;
    }

    /// Everything works from now on.
    pub(super) fn end(&mut self) {
        self.faults.clear();
    }
}

impl Fault {
    fn draw(rng: &mut Rng, kind: Kind, logs: &[String], skip: u32) -> Self {
        // Most faults are over soon, some last for hours, and a few for longer than anything is retried.
        let (times, until) = match rng.u32(0..100) {
            0..60 => (rng.u32(1..=3), Duration::MAX),
            60..85 => (rng.u32(4..=20), Duration::MAX),
            85..98 => (u32::MAX, Duration::from_secs(rng.u64(60..3 * 3_600))),
            _ => (u32::MAX, Duration::MAX),
        };
        // A process that is always killed at once has no model in Lambda, nor has a queue that delivers without end.
        let times = if kind.kills() || kind.place() == Place::Invocation { times.min(3) } else { times };
        Self {
            kind,
            skip,
            times,
            until,
            log: (!logs.is_empty() && rng.bool()).then(|| logs[rng.usize(..logs.len())].clone()),
            entry: rng.usize(0..10),
            minimal_too: rng.u32(0..4) == 0,
        }
    }
}
