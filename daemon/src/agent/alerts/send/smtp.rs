//! The conversation with a mail server (RFC 5321), without a socket of its own: replies are
//! read within limits, commands written, and what a server says decides.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use zeroize::Zeroizing;

use super::Failure;
use super::discreet::Discreet;

/// Longest line of a reply in bytes: four times what a server may send (RFC 5321, section
/// 4.5.3.1.5).
const MAX_LINE: u64 = 2048;
/// Lines of one reply: greetings with a poem have ended there.
const MAX_LINES: usize = 100;

/// Who signs in.
#[derive(Clone, Copy)]
pub(super) struct Account<'a> {
    pub(super) user: &'a str,
    pub(super) password: &'a str,
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    /// Its lines, without the code.
    pub(super) lines: Vec<String>,
}

impl Reply {
    /// Whether it begins with this digit (section 4.2.1).
    fn is(&self, digit: u16) -> bool {
        self.code / 100 == digit
    }
}

/// A conversation.
pub(super) struct Smtp<'a, S> {
    stream: BufReader<S>,
    /// Decides what is told of what the server says.
    discreet: Discreet<'a>,
    /// What the server offers, in capitals, as it said after the last greeting.
    offers: Vec<String>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Smtp<'a, S> {
    /// On this connection.
    pub(super) fn on(stream: S, discreet: Discreet<'a>) -> Smtp<'a, S> {
        Smtp { stream: BufReader::new(stream), discreet, offers: Vec::new() }
    }

    /// Waits for the server's first words.
    pub(super) async fn greeting(&mut self) -> Result<(), Failure> {
        let reply = self.reply().await?;
        if reply.is(2) { Ok(()) } else { Err(self.refusal(&reply, "greeting")) }
    }

    /// Says who this is, and hears what the server offers.
    pub(super) async fn hello(&mut self, own: &str) -> Result<(), Failure> {
        let reply = self.ask(&format!("EHLO {own}")).await?;
        if !reply.is(2) {
            return Err(self.refusal(&reply, "EHLO"));
        }
        self.offers = reply.lines.iter().skip(1).map(|line| line.to_uppercase()).collect();
        Ok(())
    }

    /// Agrees on TLS, and gives the connection back for it (RFC 3207).
    pub(super) async fn start_tls(mut self) -> Result<S, Failure> {
        if !self.offers.iter().any(|offer| offer == "STARTTLS") {
            let text = "the server offers no STARTTLS; write transport = \"tls\" where it speaks \
                        TLS from the first byte, or \"tcp\" to send without protection";
            return Err(Failure::Unreached(text.to_owned()));
        }
        let reply = self.ask("STARTTLS").await?;
        if !reply.is(2) {
            return Err(self.refusal(&reply, "STARTTLS"));
        }
        // Whatever came before TLS could be from anybody (RFC 3207, section 6).
        if !self.stream.buffer().is_empty() {
            return Err(Failure::Unreached("words before TLS; somebody is between".to_owned()));
        }
        Ok(self.stream.into_inner())
    }

    /// Signs in, by what the server offers (RFC 4954).
    pub(super) async fn sign_in(&mut self, account: Account<'_>) -> Result<(), Failure> {
        let offered = self.offers.iter().find_map(|offer| offer.strip_prefix("AUTH "));
        let ways: Vec<&str> = offered.unwrap_or_default().split(' ').collect();
        let reply = if ways.contains(&"PLAIN") {
            let plain = Zeroizing::new(format!("\0{}\0{}", account.user, account.password));
            let line = Zeroizing::new(format!("AUTH PLAIN {}", STANDARD.encode(plain.as_bytes())));
            self.ask(&line).await?
        } else if ways.contains(&"LOGIN") {
            self.sign_in_by_login(account).await?
        } else {
            let text = "the server offers neither AUTH PLAIN nor LOGIN; leave user out where it \
                        needs no sign-in";
            return Err(Failure::Unreached(text.to_owned()));
        };
        if reply.is(2) {
            return Ok(());
        }
        // A wrong password is set right, and the message is still news.
        let said = self.words(&reply);
        Err(Failure::Unreached(format!("signing in as {}: the server says '{said}'", account.user)))
    }

    async fn sign_in_by_login(&mut self, account: Account<'_>) -> Result<Reply, Failure> {
        let mut reply = self.ask("AUTH LOGIN").await?;
        for part in [account.user, account.password] {
            if reply.code != 334 {
                return Ok(reply);
            }
            let line = Zeroizing::new(STANDARD.encode(part));
            reply = self.ask(&line).await?;
        }
        Ok(reply)
    }

    /// Hands over a letter. Whom the server does not take is told; somebody must be left.
    pub(super) async fn letter(
        &mut self,
        from: &str,
        to: &[String],
        text: &str,
    ) -> Result<String, Failure> {
        let reply = self.ask(&format!("MAIL FROM:<{from}>")).await?;
        if !reply.is(2) {
            return Err(self.refusal(&reply, &format!("sender {from}")));
        }
        let mut without = Vec::new();
        for one in to {
            let reply = self.ask(&format!("RCPT TO:<{one}>")).await?;
            if !reply.is(2) {
                without.push(self.refusal(&reply, &format!("recipient {one}")));
            }
        }
        if without.len() == to.len() {
            let later = without.iter().find(|it| matches!(it, Failure::Unreached(_)));
            let why = later.or(without.first()).cloned();
            return Err(why.unwrap_or_else(|| Failure::Refused("no recipient".to_owned())));
        }
        let reply = self.ask("DATA").await?;
        if !reply.is(3) {
            return Err(self.refusal(&reply, "DATA"));
        }
        self.write(stuffed(text).as_bytes()).await?;
        let reply = self.ask(".").await?;
        if !reply.is(2) {
            return Err(self.refusal(&reply, "the message"));
        }
        let without = without.iter().map(|it| format!("; but {it}")).collect::<String>();
        Ok(format!("{}{without}", self.words(&reply)))
    }

    /// Ends in order; how the server takes that does not matter any more.
    pub(super) async fn quit(&mut self) {
        let _ = self.ask("QUIT").await;
    }

    /// A reply for people, on one line.
    fn words(&self, reply: &Reply) -> String {
        format!("{} {}", reply.code, self.discreet.words(&reply.lines.join(" ")))
    }

    /// A no, as it was meant: 4xx is 'later', 5xx is never.
    fn refusal(&self, reply: &Reply, doing: &str) -> Failure {
        let text = format!("{doing}: the server says '{}'", self.words(reply));
        if reply.is(5) { Failure::Refused(text) } else { Failure::Unreached(text) }
    }

    async fn ask(&mut self, command: &str) -> Result<Reply, Failure> {
        let line = Zeroizing::new(format!("{command}\r\n"));
        self.write(line.as_bytes()).await?;
        self.stream.flush().await.map_err(|error| broken(&error))?;
        self.reply().await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stream.write_all(bytes).await.map_err(|error| broken(&error))
    }

    async fn reply(&mut self) -> Result<Reply, Failure> {
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            let mut limited = (&mut self.stream).take(MAX_LINE);
            let read = limited.read_until(b'\n', &mut line).await;
            read.map_err(|error| broken(&error))?;
            if line.is_empty() {
                return Err(Failure::Unreached("the server hung up".to_owned()));
            }
            let (code, last, text) = part(&line).ok_or_else(nonsense)?;
            lines.push(text);
            if last {
                return Ok(Reply { code, lines });
            }
            if lines.len() == MAX_LINES {
                return Err(nonsense());
            }
        }
    }
}

/// A line of a reply: the code, whether it is the last one, and its text (section 4.2).
pub(super) fn part(line: &[u8]) -> Option<(u16, bool, String)> {
    let line = line.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (digits, rest) = line.split_at_checked(3)?;
    let code = std::str::from_utf8(digits).ok()?.parse::<u16>().ok()?;
    let last = match rest.first() {
        None | Some(b' ') => true,
        Some(b'-') => false,
        Some(_) => return None,
    };
    let good = (200..600).contains(&code) && digits.iter().all(u8::is_ascii_digit);
    let text = String::from_utf8_lossy(rest.get(1..).unwrap_or_default()).into_owned();
    good.then_some((code, last, text))
}

/// With a second dot where a line begins with one (section 4.5.2), and a line break at the end.
pub(super) fn stuffed(text: &str) -> String {
    let mut stuffed = String::with_capacity(text.len() + 16);
    for line in text.split_terminator("\r\n") {
        if line.starts_with('.') {
            stuffed.push('.');
        }
        stuffed.push_str(line);
        stuffed.push_str("\r\n");
    }
    stuffed
}

fn broken(error: &std::io::Error) -> Failure {
    Failure::Unreached(format!("the connection broke: {error}"))
}

fn nonsense() -> Failure {
    Failure::Unreached("what answers there is no mail server".to_owned())
}
