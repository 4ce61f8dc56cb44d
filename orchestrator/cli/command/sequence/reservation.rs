//! `id reserve`, `id confirm` and `id expire`.

use std::time::Duration;

use super::database::{Access, Database};
use super::target::Target;
use crate::cli::args::{IdConfirm, IdExpire, IdReserve};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::Context;
use crate::sequence::{Action, Reply, SequenceError};
use crate::wire::{Confirmation, Expiry, Reservation};

/// Takes IDs and holds them; prints the reservation, then each ID.
pub(crate) fn reserve(args: &IdReserve, context: &Context<'_>) -> Result<Exit, CliError> {
    let target = Target::of(&args.sequence, context)?;
    let key = target.key()?;
    let mut database = Database::open_for(&target, &key, args.create, context)?;
    let action = Action::Reserve { key, count: args.count, ttl: args.ttl };
    let Reply::Reserved(held) = database.ask(action)? else {
        return Err(SequenceError::Closed.into());
    };
    let held = Reservation {
        reservation_id: held.id.to_string(),
        ids: held.issued.ids(&target.layout),
        expires_at: held.expires_at.to_string(),
    };
    let output = context.output;
    if output.is_json() {
        output.document("reservation", held)?;
        return Ok(Exit::Done);
    }
    output.line(&format!("reservation {} until {}", held.reservation_id, held.expires_at))?;
    for id in &held.ids {
        output.line(id)?;
    }
    Ok(Exit::Done)
}

/// Confirms a reservation.
pub(crate) fn confirm(args: &IdConfirm, context: &Context<'_>) -> Result<Exit, CliError> {
    let target = Target::of(&args.sequence, context)?;
    let reservation = args.reservation;
    let mut last = None;
    for mut database in databases(&target, context)? {
        match database.ask(Action::Confirm(reservation)) {
            Ok(_) => {
                let reservation_id = reservation.to_string();
                let output = context.output;
                if output.is_json() {
                    let confirmed = Confirmation { reservation_id, confirmed: true };
                    output.document("id_confirm", confirmed)?;
                } else {
                    output.line(&format!("{reservation_id} confirmed"))?;
                }
                return Ok(Exit::Done);
            }
            // It may be in another layout's table.
            Err(error @ (SequenceError::NoReservation | SequenceError::NoTable { .. })) => {
                last = Some(last.unwrap_or(error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(last.unwrap_or(SequenceError::NoReservation).into())
}

/// Deletes reservations whose time is up, and prints how many.
pub(crate) fn expire(args: &IdExpire, context: &Context<'_>) -> Result<Exit, CliError> {
    let target = Target::of(&args.sequence, context)?;
    let mut deleted_count = 0;
    for mut database in databases(&target, context)? {
        loop {
            match database.ask(Action::Expire { grace: Duration::ZERO }) {
                Ok(Reply::Expired { deleted, is_all }) => {
                    deleted_count += deleted;
                    if is_all {
                        break;
                    }
                }
                // Where nobody ever reserved anything, nothing expires.
                Ok(_) | Err(SequenceError::NoTable { .. }) => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    let output = context.output;
    if output.is_json() {
        output.document("id_expire", Expiry { deleted_count })?;
    } else {
        output.line(&format!("{deleted_count} deleted"))?;
    }
    Ok(Exit::Done)
}

/// Opens the database in the layout that was named, or in each that its tables fit.
fn databases(target: &Target, context: &Context<'_>) -> Result<Vec<Database>, CliError> {
    if target.names_layout {
        return Ok(vec![Database::open(target, Access::Write, context)?]);
    }
    Database::open_fitting(target, Access::Write, context)
}
