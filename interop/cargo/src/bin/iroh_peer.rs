//! A native iroh node on loopback, without relay or discovery.
//!
//!     iroh_peer server ALPN                  echoes every stream; prints {"id","port"}
//!     iroh_peer client ID PORT ALPN BYTES    one stream there and back; prints one JSON line

use anyhow::{ensure, Context, Result};
use iroh::endpoint::{presets, Connection, RelayMode};
use iroh::{Endpoint, EndpointAddr, EndpointId};
use std::net::SocketAddr;

async fn endpoint(alpns: Vec<Vec<u8>>) -> Result<Endpoint> {
    Ok(Endpoint::builder(presets::Minimal)
        .relay_mode(RelayMode::Disabled)
        .clear_ip_transports()
        .bind_addr("127.0.0.1:0")?
        .alpns(alpns)
        .bind()
        .await?)
}

async fn echo(connection: Connection) -> Result<()> {
    loop {
        let (mut send, mut recv) = connection.accept_bi().await?;
        tokio::spawn(async move {
            if tokio::io::copy(&mut recv, &mut send).await.is_ok() {
                let _ = send.finish();
            }
        });
    }
}

async fn server(alpn: &str) -> Result<()> {
    let endpoint = endpoint(vec![alpn.as_bytes().to_vec()]).await?;
    let port = endpoint.bound_sockets()[0].port();
    println!("{{\"id\":\"{}\",\"port\":{port}}}", endpoint.id());
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            if let Ok(connection) = incoming.await {
                let _ = echo(connection).await;
            }
        });
    }
    Ok(())
}

async fn client(id: &str, port: u16, alpn: &str, bytes: usize) -> Result<()> {
    let endpoint = endpoint(vec![]).await?;
    let id: EndpointId = id.parse()?;
    let address = EndpointAddr::new(id).with_ip_addr(SocketAddr::from(([127, 0, 0, 1], port)));
    let connection = endpoint.connect(address, alpn.as_bytes()).await?;
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
    println!("{{\"ok\":true,\"bytes\":{},\"remote\":\"{}\"}}", received.len(), connection.remote_id());
    connection.close(0u32.into(), b"done");
    endpoint.close().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["server", alpn] => server(alpn).await,
        ["client", id, port, alpn, bytes] => client(id, port.parse()?, alpn, bytes.parse()?).await,
        _ => None.context("usage: iroh_peer server ALPN | client ID PORT ALPN BYTES"),
    }
}
