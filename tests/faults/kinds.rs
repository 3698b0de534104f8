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
    /// A request to either topic.
    Sns,
    /// A batch of findings.
    Batch,
    /// The answer of an invocation, or what brought it.
    Invocation,
}

impl Kind {
    pub(super) const ALL: [Self; 40] = [
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
                | Self::SnsStallsBeforeTaking
                | Self::SnsStallsAfterTaking
        )
    }

    /// Whether the process ends of it.
    pub(super) fn kills(self) -> bool {
        matches!(self, Self::KilledBeforePublish | Self::KilledAfterPublish | Self::FunctionTimeout)
    }
}

/// How often each kind was injected.
pub(super) type Hits = BTreeMap<Kind, u64>;
