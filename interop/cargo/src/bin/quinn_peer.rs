//! quinn with rustls, X.509 only.
//!
//!     quinn_peer client PORT ALPN BYTES CA.PEM    one stream there and back; prints one JSON line

use anyhow::{ensure, Context, Result};
use quinn::crypto::rustls::QuicClientConfig;
use rustls::pki_types::{pem::PemObject, CertificateDer};
use rustls::RootCertStore;
use std::net::SocketAddr;
use std::sync::Arc;

fn config(alpn: &str, ca: &str) -> Result<quinn::ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca)?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    Ok(quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?)))
}

async fn client(port: u16, alpn: &str, bytes: usize, ca: &str) -> Result<()> {
    let mut endpoint = quinn::Endpoint::client("127.0.0.1:0".parse()?)?;
    endpoint.set_default_client_config(config(alpn, ca)?);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let connection = endpoint.connect(address, "localhost")?.await?;
    let (mut send, mut recv) = connection.open_bi().await?;
    let sent: Vec<u8> = (0..bytes).map(|n| (n * 31 % 251) as u8).collect();
    let copy = sent.clone();
    let writer = tokio::spawn(async move {
        send.write_all(&copy).await?;
        send.finish()?;
        anyhow::Ok(())
    });
    let received = recv.read_to_end(bytes + 1).await?;
    writer.await??;
    ensure!(received == sent, "the echo differs");
    // A new local address: the connection must go on.
    endpoint.rebind(std::net::UdpSocket::bind("127.0.0.1:0")?)?;
    let (mut send, mut recv) = connection.open_bi().await?;
    send.write_all(b"after the move").await?;
    send.finish()?;
    let moved = recv.read_to_end(64).await? == b"after the move";
    println!("{{\"ok\":true,\"bytes\":{},\"moved\":{moved}}}", received.len());
    connection.close(0u32.into(), b"done");
    endpoint.wait_idle().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["client", port, alpn, bytes, ca] => client(port.parse()?, alpn, bytes.parse()?, ca).await,
        _ => None.context("usage: quinn_peer client PORT ALPN BYTES CA.PEM"),
    }
}
