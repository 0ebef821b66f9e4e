//! HTTP/1.1 on raw sockets: parsing with httparse, and responses byte by byte.

use std::io::Read;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use flate2::Compression;
use flate2::read::{DeflateEncoder, GzEncoder, ZlibEncoder};
use serde_json::Value;

use crate::connection::Connection;
use crate::script::Coding;

const MAX_HEAD: usize = 64 * 1024;
const MAX_BODY: usize = 2 * 1024 * 1024;
const MAX_HEADERS: usize = 256;

/// A complete request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) keep_alive: bool,
}

impl Request {
    /// All values of one header.
    pub(crate) fn header_values<'a>(&'a self, name: &str) -> Vec<&'a str> {
        self.headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.header_values(name).first().copied()
    }

    pub(crate) fn query_pairs(&self) -> Vec<(String, String)> {
        form_pairs(self.query.as_deref().unwrap_or_default().as_bytes())
    }

    pub(crate) fn query_value(&self, name: &str) -> Option<String> {
        self.query_pairs().into_iter().find_map(|(key, value)| (key == name).then_some(value))
    }

    pub(crate) fn is_form(&self) -> bool {
        self.header("content-type").is_some_and(|value| {
            let media_type = value.split(';').next().unwrap_or_default().trim();
            media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        })
    }

    pub(crate) fn form(&self) -> Vec<(String, String)> {
        form_pairs(&self.body)
    }
}

fn form_pairs(bytes: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(bytes).into_owned().collect()
}

/// Why no request could be read.
pub(crate) enum ReadError {
    /// The peer closed the connection, or it broke.
    Ended,
    /// The peer did not speak HTTP; the response has this status.
    Refused(u16, &'static str),
}

const ENDED: ReadError = ReadError::Ended;

/// Reads the next request completely.
pub(crate) fn read_request(connection: &mut Connection) -> Result<Request, ReadError> {
    let mut request = read_head(connection)?;
    let lengths = request.header_values("content-length");
    let codings = request.header_values("transfer-encoding");
    let expects_continue =
        request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
    let chunked = match codings.as_slice() {
        [] => false,
        [coding] if coding.eq_ignore_ascii_case("chunked") => true,
        _ => return Err(ReadError::Refused(501, "unknown transfer coding")),
    };
    let length = match lengths.as_slice() {
        [] => 0,
        [_] if chunked => return Err(ReadError::Refused(400, "length and chunks")),
        [length] if length.bytes().all(|byte| byte.is_ascii_digit()) => {
            length.parse::<usize>().map_err(|_| ReadError::Refused(413, "body too large"))?
        }
        _ => return Err(ReadError::Refused(400, "content-length")),
    };
    if length > MAX_BODY {
        return Err(ReadError::Refused(413, "body too large"));
    }
    if expects_continue && connection.buffer.is_empty() && (chunked || length > 0) {
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n").map_err(|_| ENDED)?;
    }
    request.body = if chunked { read_chunks(connection)? } else { read_exact(connection, length)? };
    Ok(request)
}

fn read_head(connection: &mut Connection) -> Result<Request, ReadError> {
    loop {
        if !connection.buffer.is_empty()
            && let Some(request) = parse_head(&mut connection.buffer)?
        {
            return Ok(request);
        }
        if connection.buffer.len() > MAX_HEAD {
            return Err(ReadError::Refused(431, "header too large"));
        }
        fill(connection)?;
    }
}

fn parse_head(buffer: &mut Vec<u8>) -> Result<Option<Request>, ReadError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let length = match parsed.parse(buffer) {
        Ok(httparse::Status::Complete(length)) if length <= MAX_HEAD => length,
        Ok(httparse::Status::Complete(_)) | Err(httparse::Error::TooManyHeaders) => {
            return Err(ReadError::Refused(431, "header too large"));
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(ReadError::Refused(400, "not HTTP")),
    };
    let target = parsed.path.unwrap_or_default();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (target.to_owned(), None),
    };
    let mut request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path,
        query,
        headers: parsed
            .headers
            .iter()
            .map(|header| {
                let value = String::from_utf8_lossy(header.value).into_owned();
                (header.name.to_owned(), value)
            })
            .collect(),
        body: Vec::new(),
        keep_alive: false,
    };
    let modern = parsed.version == Some(1);
    buffer.drain(..length);
    if modern && request.header_values("host").len() != 1 {
        return Err(ReadError::Refused(400, "exactly one Host header"));
    }
    let closes = request
        .header("connection")
        .is_some_and(|value| value.to_ascii_lowercase().contains("close"));
    request.keep_alive = modern && !closes;
    Ok(Some(request))
}

fn read_exact(connection: &mut Connection, length: usize) -> Result<Vec<u8>, ReadError> {
    while connection.buffer.len() < length {
        fill(connection)?;
    }
    Ok(connection.buffer.drain(..length).collect())
}

fn read_chunks(connection: &mut Connection) -> Result<Vec<u8>, ReadError> {
    let mut body = Vec::new();
    loop {
        let (start, size) = loop {
            match httparse::parse_chunk_size(&connection.buffer) {
                Ok(httparse::Status::Complete(found)) => break found,
                Ok(httparse::Status::Partial) if connection.buffer.len() < 1024 => {
                    fill(connection)?;
                }
                _ => return Err(ReadError::Refused(400, "chunk size")),
            }
        };
        connection.buffer.drain(..start);
        if size == 0 {
            // Trailer fields up to the empty line.
            loop {
                let line = read_line(connection)?;
                if line.is_empty() {
                    return Ok(body);
                }
            }
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > MAX_BODY - body.len() {
            return Err(ReadError::Refused(413, "body too large"));
        }
        body.extend(read_exact(connection, size)?);
        if !read_line(connection)?.is_empty() {
            return Err(ReadError::Refused(400, "chunk end"));
        }
    }
}

fn read_line(connection: &mut Connection) -> Result<Vec<u8>, ReadError> {
    loop {
        if let Some(end) = connection.buffer.windows(2).position(|two| two == b"\r\n") {
            let line = connection.buffer[..end].to_vec();
            connection.buffer.drain(..end + 2);
            return Ok(line);
        }
        if connection.buffer.len() > MAX_HEAD {
            return Err(ReadError::Refused(431, "trailer too large"));
        }
        fill(connection)?;
    }
}

fn fill(connection: &mut Connection) -> Result<(), ReadError> {
    match connection.fill() {
        Ok(0) | Err(_) => Err(ENDED),
        Ok(_) => Ok(()),
    }
}

/// A response before it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Headers that a script removed, including automatic ones.
    omitted: Vec<String>,
    /// Lines of a script, sent literally.
    lines: Vec<String>,
}

/// How the end of the body is marked.
#[derive(Clone, Copy)]
pub(crate) enum Framing {
    Length(usize),
    Chunked,
}

impl Response {
    pub(crate) fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            omitted: Vec::new(),
            lines: Vec::new(),
        }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::new(status)
            .with("Content-Type", "application/json")
            .with_body(body.to_string().into_bytes())
    }

    pub(crate) fn html(status: u16, page: String) -> Self {
        Self::new(status)
            .with("Content-Type", "text/html; charset=utf-8")
            .with_body(page.into_bytes())
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn with_body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    fn has(&self, name: &str) -> bool {
        let named = |key: &String| key.eq_ignore_ascii_case(name);
        self.omitted.iter().any(named) || self.headers.iter().any(|(key, _)| named(key))
    }

    /// Applies a script's headers: a name replaces every earlier one, `None` removes it.
    pub(crate) fn override_headers(&mut self, headers: &[(String, Option<String>)]) {
        self.headers
            .retain(|(key, _)| !headers.iter().any(|(name, _)| key.eq_ignore_ascii_case(name)));
        for (name, value) in headers {
            match value {
                Some(value) => self.headers.push((name.clone(), value.clone())),
                None => self.omitted.push(name.clone()),
            }
        }
    }

    /// Adds a script's lines to the header section.
    pub(crate) fn add_lines(&mut self, lines: &[String]) {
        self.lines.extend_from_slice(lines);
    }

    /// Compresses the body and sets Content-Encoding.
    pub(crate) fn encode(&mut self, coding: Coding) {
        let (body, level) = (self.body.as_slice(), Compression::default());
        let mut encoded = Vec::new();
        let (name, outcome) = match coding {
            Coding::Gzip => ("gzip", GzEncoder::new(body, level).read_to_end(&mut encoded)),
            Coding::Deflate => ("deflate", ZlibEncoder::new(body, level).read_to_end(&mut encoded)),
            Coding::RawDeflate => {
                ("deflate", DeflateEncoder::new(body, level).read_to_end(&mut encoded))
            }
        };
        if outcome.is_ok() {
            self.body = encoded;
            self.headers.push(("Content-Encoding".to_owned(), name.to_owned()));
        }
    }

    /// Status line and headers. Missing standard headers are added.
    pub(crate) fn head(&self, framing: Framing, keep_alive: bool, date_offset_s: i64) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        let mut line = |name: &str, value: &str| {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        };
        for (name, value) in &self.headers {
            line(name, value);
        }
        if !self.has("date") {
            line("Date", &http_date(now().saturating_add_signed(date_offset_s)));
        }
        let bodiless = matches!(self.status, 100..=199 | 204 | 304);
        match framing {
            Framing::Chunked if !self.has("transfer-encoding") => {
                line("Transfer-Encoding", "chunked");
            }
            Framing::Length(length) if !bodiless && !self.has("content-length") => {
                line("Content-Length", &length.to_string());
            }
            _ => {}
        }
        if !keep_alive && !self.has("connection") {
            line("Connection", "close");
        }
        for line in &self.lines {
            head.push_str(line);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

/// The time after a number of seconds from now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expiry(Option<Instant>);

impl Expiry {
    pub(crate) fn after(seconds: u64) -> Self {
        // A time beyond the clock's range is never.
        Self(Instant::now().checked_add(Duration::from_secs(seconds)))
    }

    pub(crate) fn has_passed(self) -> bool {
        self.0.is_some_and(|end| end <= Instant::now())
    }
}

/// Unix seconds of the wall clock.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// IMF-fixdate of RFC 9110.
pub(crate) fn http_date(unix: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let days = unix / 86_400;
    let second = unix % 86_400;
    // Days to civil date with years that start in March, so that the leap day is last.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12;
    let year = year_of_era + era * 400 + u64::from(month < 2);
    format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        DAYS[usize::try_from(days % 7).unwrap_or_default()],
        MONTHS[usize::try_from(month).unwrap_or_default()],
        second / 3_600,
        second / 60 % 60,
        second % 60,
    )
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::http_date;

    #[test]
    fn dates_are_imf_fixdates() {
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(951_827_696), "Tue, 29 Feb 2000 12:34:56 GMT");
        assert_eq!(http_date(4_102_444_799), "Thu, 31 Dec 2099 23:59:59 GMT");
    }
}
