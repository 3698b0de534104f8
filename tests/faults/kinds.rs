//! Every kind of fault that is injected, where it strikes, and how often it did. Knows nothing of how it is done.

use std::collections::BTreeMap;

/// What can go wrong around the detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    S3Refused,
    S3ResetBeforeAnswer,
    S3ResetMidBody,
    S3StallsBeforeAnswer,
    S3StallsMidBody,
    S3AccessDenied,
    S3NoSuchBucket,
    S3NotFoundByAProxy,
    S3InternalError,
    S3SlowDown,
    S3BodyEndsEarly,
    S3LengthTooLong,
    S3LengthTooShort,
    S3Corrupted,
    S3ObjectRemoved,
    RulesRefused,
    RulesResetBeforeAnswer,
    RulesStall,
    RulesNoSuchBucket,
    RulesInternalError,
    RulesSlowDown,
    RulesListDenied,
    RulesListCutOff,
    RuleResetMidBody,
    RuleStallsMidBody,
    RuleEndsEarly,
    RuleHalfServed,
    RuleCorrupted,
    RuleAccessDenied,
    RuleDeletedMidway,
    RuleBroken,
    SnsRefused,
    SnsResetBeforeTaking,
    SnsResetAfterTaking,
    SnsStallsBeforeTaking,
    SnsStallsAfterTaking,
    SnsAccessDenied,
    SnsNotFound,
    SnsInternalError,
    SnsUnavailable,
    SnsThrottled,
    SnsInvalidParameter,
    KmsThrottled,
    KmsAccessDenied,
    KmsDisabled,
    EntryFailed,
    EntryOfSendersFault,
    EntryThrottled,
    EntryNotMentioned,
    SnsAnswerCutOff,
    SnsAnswerGarbled,
    KilledBeforePublish,
    KilledAfterPublish,
    FunctionTimeout,
    AnswerLost,
    DeliveredTwice,
}

/// Where a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A GET of a log.
    S3,
    /// Anything that is asked of the bucket of rules.
    Rules,
    /// What stands in it: which files, or how large a file is.
    RuleList,
    /// A GET of a rule file, or of the lists.
    RuleFile,
    /// A request to either topic.
    Sns,
    /// A batch of findings.
    Batch,
    /// The answer of an invocation, or what brought it.
    Invocation,
}

impl Kind {
    pub(super) const ALL: [Self; 56] = [
        Self::S3Refused,
        Self::S3ResetBeforeAnswer,
        Self::S3ResetMidBody,
        Self::S3StallsBeforeAnswer,
        Self::S3StallsMidBody,
        Self::S3AccessDenied,
        Self::S3NoSuchBucket,
        Self::S3NotFoundByAProxy,
        Self::S3InternalError,
        Self::S3SlowDown,
        Self::S3BodyEndsEarly,
        Self::S3LengthTooLong,
        Self::S3LengthTooShort,
        Self::S3Corrupted,
        Self::S3ObjectRemoved,
        Self::RulesRefused,
        Self::RulesResetBeforeAnswer,
        Self::RulesStall,
        Self::RulesNoSuchBucket,
        Self::RulesInternalError,
        Self::RulesSlowDown,
        Self::RulesListDenied,
        Self::RulesListCutOff,
        Self::RuleResetMidBody,
        Self::RuleStallsMidBody,
        Self::RuleEndsEarly,
        Self::RuleHalfServed,
        Self::RuleCorrupted,
        Self::RuleAccessDenied,
        Self::RuleDeletedMidway,
        Self::RuleBroken,
        Self::SnsRefused,
        Self::SnsResetBeforeTaking,
        Self::SnsResetAfterTaking,
        Self::SnsStallsBeforeTaking,
        Self::SnsStallsAfterTaking,
        Self::SnsAccessDenied,
        Self::SnsNotFound,
        Self::SnsInternalError,
        Self::SnsUnavailable,
        Self::SnsThrottled,
        Self::SnsInvalidParameter,
        Self::KmsThrottled,
        Self::KmsAccessDenied,
        Self::KmsDisabled,
        Self::EntryFailed,
        Self::EntryOfSendersFault,
        Self::EntryThrottled,
        Self::EntryNotMentioned,
        Self::SnsAnswerCutOff,
        Self::SnsAnswerGarbled,
        Self::KilledBeforePublish,
        Self::KilledAfterPublish,
        Self::FunctionTimeout,
        Self::AnswerLost,
        Self::DeliveredTwice,
    ];

    pub(super) fn place(self) -> Place {
        match self {
            Self::S3Refused
            | Self::S3ResetBeforeAnswer
            | Self::S3ResetMidBody
            | Self::S3StallsBeforeAnswer
            | Self::S3StallsMidBody
            | Self::S3AccessDenied
            | Self::S3NoSuchBucket
            | Self::S3NotFoundByAProxy
            | Self::S3InternalError
            | Self::S3SlowDown
            | Self::S3BodyEndsEarly
            | Self::S3LengthTooLong
            | Self::S3LengthTooShort
            | Self::S3Corrupted
            | Self::S3ObjectRemoved => Place::S3,
            Self::RulesRefused
            | Self::RulesResetBeforeAnswer
            | Self::RulesStall
            | Self::RulesNoSuchBucket
            | Self::RulesInternalError
            | Self::RulesSlowDown => Place::Rules,
            Self::RulesListDenied | Self::RulesListCutOff | Self::RuleBroken => Place::RuleList,
            Self::RuleResetMidBody
            | Self::RuleStallsMidBody
            | Self::RuleEndsEarly
            | Self::RuleHalfServed
            | Self::RuleCorrupted
            | Self::RuleAccessDenied
            | Self::RuleDeletedMidway => Place::RuleFile,
            Self::EntryFailed | Self::EntryOfSendersFault | Self::EntryThrottled | Self::EntryNotMentioned => {
                Place::Batch
            }
            Self::AnswerLost | Self::DeliveredTwice => Place::Invocation,
            _ => Place::Sns,
        }
    }

    /// Whether the request seems to last for ever.
    pub(super) fn stalls(self) -> bool {
        matches!(
            self,
            Self::S3StallsBeforeAnswer
                | Self::S3StallsMidBody
                | Self::RulesStall
                | Self::RuleStallsMidBody
                | Self::SnsStallsBeforeTaking
                | Self::SnsStallsAfterTaking
        )
    }

    /// Whether the process ends of it.
    pub(super) fn kills(self) -> bool {
        matches!(self, Self::KilledBeforePublish | Self::KilledAfterPublish | Self::FunctionTimeout)
    }
}

impl Place {
    /// Whether a request to `place` is a request to this one, too.
    pub(super) fn covers(self, place: Self) -> bool {
        self == place
            || matches!((self, place), (Self::Sns, Self::Batch) | (Self::Rules, Self::RuleList | Self::RuleFile))
    }

    /// Whether it is in the bucket of rules.
    pub(super) fn is_rules(self) -> bool {
        Self::Rules.covers(self)
    }
}

/// How often each kind was injected.
pub(super) type Hits = BTreeMap<Kind, u64>;
