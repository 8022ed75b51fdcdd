//! When each call is over at the latest: else a limit has ended somebody.
//!
//! A call is over when its block is. A sync is over for all at one moment, so the first block to end decides; and what a
//! member does before a call is over before that call is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use convoke_group::CallKind;

use super::places::Places;
use crate::model::{Block, Flow, Origin, Step};
use crate::played::{Met, Played, PlayedCall};
use crate::walk;

/// For each call of a play the latest moment at which it is over; nothing where no limit ends it.
pub(super) fn latest(flow: &Flow, played: &Played<'_>, places: &Places<'_>) -> Vec<Option<Duration>> {
    let ends = ends(flow, played, places);
    let mut latest: Vec<Option<Duration>> = Vec::with_capacity(played.calls.len());
    for (index, call) in played.calls.iter().enumerate() {
        latest.push(match places.block[index] {
            Some(block) => ends[call.member].get(block).copied(),
            None if call.call.origin == Origin::DelayedStart => Some(call.call.limit),
            None => None,
        });
    }
    // What runs beside is in no order with the rest.
    let beside: Vec<bool> = flow
        .members
        .iter()
        .enumerate()
        .map(|(index, member)| {
            played.played_by[index] == index && walk::any(&member.steps, &|step| matches!(step, Step::Beside(_)))
        })
        .collect();
    let senders = senders(played);
    let mut next: Vec<Option<Duration>> = vec![None; flow.members.len()];
    let mut end = played.calls.len();
    while end > 0 {
        // Those who are over at one moment stand together.
        let by = &played.calls[end - 1].met;
        let is_sync = played.calls[end - 1].call.kind == CallKind::Sync;
        let same = |call: &PlayedCall<'_>| match (by, &call.met) {
            (Met::Satisfied(one), Met::Satisfied(other)) => is_sync && Arc::ptr_eq(one, other),
            _ => false,
        };
        let start = (0..end - 1).rev().take_while(|index| same(&played.calls[*index])).last().unwrap_or(end - 1);
        let mut all = None;
        for (call, latest) in played.calls.iter().zip(&latest).take(end).skip(start) {
            let is_sure = call.only_if.is_empty() && !beside[call.member] && matches!(call.met, Met::Satisfied(_));
            all = earlier(all, earlier(*latest, next[call.member].filter(|_| is_sure)));
        }
        for (call, latest) in played.calls.iter().zip(&mut latest).take(end).skip(start) {
            *latest = all;
            if call.only_if.is_empty() && matches!(call.met, Met::Satisfied(_)) {
                next[call.member] = all;
            }
        }
        if let (Met::Satisfied(by), false) = (by, is_sync) {
            let call = &played.calls[end - 1];
            let is_sure = call.call.kind == CallKind::WaitAll || senders.get(call.call.id.shown()) == Some(&1);
            for sender in by.iter().filter(|sender| is_sure && call.only_if.is_empty() && **sender < start) {
                latest[*sender] = earlier(latest[*sender], all);
            }
        }
        end = start;
    }
    latest
}

/// How many calls may send each ID; one of an unknown ID may send any.
fn senders<'a>(played: &Played<'a>) -> HashMap<&'a str, usize> {
    let sends = || played.calls.iter().filter(|call| call.call.kind == CallKind::Send);
    let mut senders = HashMap::new();
    if sends().all(|call| call.call.id.known().is_some()) {
        sends().for_each(|call| *senders.entry(call.call.id.shown()).or_default() += 1);
    }
    senders
}

/// When the blocks of each member end at the latest.
fn ends(flow: &Flow, played: &Played<'_>, places: &Places<'_>) -> Vec<Vec<Duration>> {
    let mut started = vec![Duration::ZERO; flow.members.len()];
    for call in played.calls.iter().filter(|call| call.call.origin == Origin::DelayedStart) {
        started[call.member] = call.call.limit;
    }
    let ends = |(blocks, start): (&Vec<&Block>, Duration)| {
        let end = |end: &mut Duration, block: &&Block| {
            *end = end.saturating_add(block.limit);
            Some((*end).min(start.saturating_add(flow.limit.unwrap_or(Duration::MAX))))
        };
        blocks.iter().scan(start, end).collect()
    };
    places.blocks.iter().zip(started).map(ends).collect()
}

fn earlier(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
