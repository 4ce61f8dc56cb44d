//! The terminal behind stderr, for lines that move.
//!
//! Nothing it does ever fails: a terminal that was closed shows nothing any more, and
//! the run goes on. It claims to be a column narrower than it is, so that a full line
//! leaves the cursor where it can be found again, also when `^C` is echoed there.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};

use indicatif::TermLike;
use rustix::termios::{Winsize, tcgetwinsize};

use super::terminal::DEFAULT_WIDTH;

/// The height where there is no terminal to ask.
const DEFAULT_HEIGHT: u16 = 24;

/// The terminal behind stderr; what is written waits until it is flushed.
#[derive(Debug, Default)]
pub(super) struct Screen {
    waiting: Mutex<String>,
}

impl Screen {
    fn size() -> Option<Winsize> {
        tcgetwinsize(io::stderr()).ok().filter(|size| size.ws_col > 1 && size.ws_row > 0)
    }

    fn push(&self, text: std::fmt::Arguments<'_>) -> io::Result<()> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // A text takes whatever comes.
        waiting.write_fmt(text).map_err(io::Error::other)
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        Self::size().map_or(DEFAULT_WIDTH, |size| size.ws_col)
    }

    fn height(&self) -> u16 {
        Self::size().map_or(DEFAULT_HEIGHT, |size| size.ws_row)
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        if n > 0 { self.push(format_args!("\x1b[{n}A")) } else { Ok(()) }
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        if n > 0 { self.push(format_args!("\x1b[{n}B")) } else { Ok(()) }
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        if n > 0 { self.push(format_args!("\x1b[{n}C")) } else { Ok(()) }
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        if n > 0 { self.push(format_args!("\x1b[{n}D")) } else { Ok(()) }
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        self.push(format_args!("{s}\n"))
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        self.push(format_args!("{s}"))
    }

    fn clear_line(&self) -> io::Result<()> {
        self.push(format_args!("\r\x1b[2K"))
    }

    fn flush(&self) -> io::Result<()> {
        let text =
            std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let mut stderr = io::stderr();
        if let Err(error) = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()) {
            super::log::failed(&error);
        }
        Ok(())
    }
}
