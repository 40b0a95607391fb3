//! A terminal for tests: a pseudo-terminal with a program in it, whose screen can be read and whose keys can be pressed.

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    num::NonZeroU16,
    os::{
        fd::{AsFd as _, AsRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::{Child, Command, ExitStatus},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use anyhow::{Context as _, Result, ensure};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};
use vt100::Parser;

use crate::agent::eventually;

/// Keys, as terminals send them.
pub mod keys {
    /// Enter.
    pub const ENTER: &str = "\r";
    /// Escape.
    pub const ESCAPE: &str = "\x1b";
    /// Ctrl-C.
    pub const CTRL_C: &str = "\x03";
}

/// A program in a terminal.
pub struct Tty {
    child: Child,
    /// Our end of the terminal.
    master: File,
    /// The program's end, kept open to look at its modes.
    slave: OwnedFd,
    before: Termios,
    parser: Arc<Mutex<Parser>>,
}

impl Tty {
    /// Starts a command in a terminal of this size, as a shell would.
    pub fn start(command: &mut Command, columns: u16, rows: u16) -> Result<Self> {
        let pty = rustix_openpty::openpty(None, Some(&size(columns, rows))).context("cannot make a pseudo-terminal")?;
        let (controller, user) = (pty.controller, pty.user);
        let before = tcgetattr(&user).context("tcgetattr")?;
        command.env("TERM", "xterm-256color").env_remove("NO_COLOR").env("TZ", "UTC");
        command.stdin(user.try_clone()?).stdout(user.try_clone()?).stderr(user.try_clone()?);
        // SAFETY: the closure makes nothing but system calls, as it must between fork and exec.
        unsafe {
            command.pre_exec(|| {
                rustix::process::setsid()?;
                rustix::process::ioctl_tiocsctty(io::stdin())?;
                Ok(())
            });
        }
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let parser = Arc::new(Mutex::new(Parser::new(cells(rows)?, cells(columns)?, 0)));
        let master = File::from(controller);
        let (mut output, screen) = (master.try_clone()?, Arc::clone(&parser));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Reading fails when the last user of the terminal is gone.
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                lock(&screen).process(&bytes[..count]);
            }
        });
        Ok(Tty { child, master, slave: user, before, parser })
    }

    /// The id of the program.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What is to be seen, a line each.
    pub fn screen(&self) -> String {
        lock(&self.parser).screen().contents()
    }

    /// Whether the screen is one that a full-screen program has taken.
    pub fn is_taken(&self) -> bool {
        lock(&self.parser).screen().alternate_screen()
    }

    /// Waits until the screen shows all of `parts`.
    pub fn expect(&self, parts: &[&str]) -> Result<String> {
        let seen = eventually("the screen does not show it", || {
            let screen = self.screen();
            Ok(parts.iter().all(|part| screen.contains(part)).then_some(screen))
        });
        seen.with_context(|| format!("waited for {parts:?}; it shows:\n{}", self.screen()))
    }

    /// Types.
    pub fn press(&mut self, keys: &str) -> Result<()> {
        self.master.write_all(keys.as_bytes()).context("cannot type")
    }

    /// Changes the terminal's size.
    pub fn resize(&mut self, columns: u16, rows: u16) -> Result<()> {
        lock(&self.parser).screen_mut().set_size(cells(rows)?, cells(columns)?);
        tcsetwinsize(self.slave.as_fd(), size(columns, rows)).context("tcsetwinsize")
    }

    /// Sends a signal to the program.
    pub fn signal(&self, signal: rustix::process::Signal) -> Result<()> {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).context("cannot send a signal")
    }

    /// Waits for the program's end.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let ended = eventually("the program does not end", || self.child.try_wait().context("cannot wait"));
        if ended.is_err() {
            self.child.kill()?;
        }
        ended.with_context(|| format!("it shows:\n{}", self.screen()))
    }

    /// Closes the terminal, as a lost connection does, and waits for the program's end.
    pub fn hang_up(&mut self) -> Result<ExitStatus> {
        // SAFETY: this request takes no argument.
        if unsafe { libc::ioctl(self.slave.as_raw_fd(), libc::TIOCVHANGUP) } != 0 {
            return Err(io::Error::last_os_error()).context("cannot hang up");
        }
        self.wait()
    }

    /// Fails unless the terminal is as it was before the program came: its modes, its screen, its cursor.
    pub fn expect_restored(&self) -> Result<()> {
        let now = tcgetattr(&self.slave).context("tcgetattr")?;
        ensure!(format!("{now:?}") == format!("{:?}", self.before), "the modes differ: {now:?}, not {:?}", self.before);
        let left = || {
            let parser = lock(&self.parser);
            let screen = parser.screen();
            Ok((!screen.alternate_screen() && !screen.hide_cursor()).then_some(()))
        };
        eventually("the screen is still taken, or the cursor hidden", left)
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        // A test that has failed leaves it running.
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn cells(number: u16) -> Result<NonZeroU16> {
    NonZeroU16::new(number).context("a terminal without cells")
}

fn size(columns: u16, rows: u16) -> Winsize {
    Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }
}

fn lock(parser: &Mutex<Parser>) -> MutexGuard<'_, Parser> {
    parser.lock().unwrap_or_else(PoisonError::into_inner)
}
