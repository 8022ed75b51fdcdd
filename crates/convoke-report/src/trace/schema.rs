//! The numbers of Perfetto's published schema (`protos/perfetto/trace/perfetto_trace.proto`) that a trace of ours uses.
//! The test of the trace decodes with that schema, so a wrong number does not go unseen.

/// `Trace`
pub(super) mod trace {
    pub(in crate::trace) const PACKET: u32 = 1;
}

/// `TracePacket`
pub(super) mod packet {
    pub(in crate::trace) const CLOCK_SNAPSHOT: u32 = 6;
    pub(in crate::trace) const TIMESTAMP: u32 = 8;
    pub(in crate::trace) const TRUSTED_PACKET_SEQUENCE_ID: u32 = 10;
    pub(in crate::trace) const TRACK_EVENT: u32 = 11;
    pub(in crate::trace) const SEQUENCE_FLAGS: u32 = 13;
    pub(in crate::trace) const TRACK_DESCRIPTOR: u32 = 60;
    /// `SequenceFlags.SEQ_INCREMENTAL_STATE_CLEARED`
    pub(in crate::trace) const SEQ_INCREMENTAL_STATE_CLEARED: u64 = 1;
}

/// `ClockSnapshot`
pub(super) mod clocks {
    pub(in crate::trace) const CLOCKS: u32 = 1;
    pub(in crate::trace) const PRIMARY_TRACE_CLOCK: u32 = 2;
    /// `Clock`
    pub(in crate::trace) const CLOCK_ID: u32 = 1;
    pub(in crate::trace) const TIMESTAMP: u32 = 2;
    /// `BuiltinClock`
    pub(in crate::trace) const REALTIME: u64 = 1;
    pub(in crate::trace) const BOOTTIME: u64 = 6;
}

/// `TrackDescriptor`
pub(super) mod track {
    pub(in crate::trace) const UUID: u32 = 1;
    pub(in crate::trace) const NAME: u32 = 2;
    pub(in crate::trace) const PROCESS: u32 = 3;
    pub(in crate::trace) const PARENT_UUID: u32 = 5;
    pub(in crate::trace) const CHILD_ORDERING: u32 = 11;
    pub(in crate::trace) const SIBLING_ORDER_RANK: u32 = 12;
    /// `ChildTracksOrdering.EXPLICIT`
    pub(in crate::trace) const EXPLICIT: u64 = 3;
}

/// `ProcessDescriptor`
pub(super) mod process {
    pub(in crate::trace) const PID: u32 = 1;
    pub(in crate::trace) const PROCESS_NAME: u32 = 6;
    pub(in crate::trace) const PROCESS_LABELS: u32 = 8;
}

/// `TrackEvent`
pub(super) mod event {
    pub(in crate::trace) const DEBUG_ANNOTATIONS: u32 = 4;
    pub(in crate::trace) const TYPE: u32 = 9;
    pub(in crate::trace) const TRACK_UUID: u32 = 11;
    pub(in crate::trace) const CATEGORIES: u32 = 22;
    pub(in crate::trace) const NAME: u32 = 23;
    pub(in crate::trace) const FLOW_IDS: u32 = 47;
    pub(in crate::trace) const TERMINATING_FLOW_IDS: u32 = 48;
    /// `Type`
    pub(in crate::trace) const TYPE_SLICE_BEGIN: u64 = 1;
    pub(in crate::trace) const TYPE_SLICE_END: u64 = 2;
    pub(in crate::trace) const TYPE_INSTANT: u64 = 3;
}

/// `DebugAnnotation`
pub(super) mod annotation {
    pub(in crate::trace) const DOUBLE_VALUE: u32 = 5;
    pub(in crate::trace) const STRING_VALUE: u32 = 6;
    pub(in crate::trace) const NAME: u32 = 10;
    pub(in crate::trace) const DICT_ENTRIES: u32 = 11;
}
