//! native iroh and quinn as both ends of what bench/compare.py measures: one thread each, as our
//! node has by default, and the cipher of the other pairs.
//!
//!     bench_peer iroh|quinn serve FILE CERT.PEM KEY.PEM    FILE and echo; prints {"id","port"}
//!     bench_peer iroh|quinn get ID PORT OUT                FILE over one stream, into OUT
//!     bench_peer iroh|quinn handshakes ID PORT N           full ones, one after the other
//!     bench_peer iroh|quinn requests ID PORT DEPTH N       64 octets there and back, a stream each
//!
//! iroh proves raw keys at both ends; of quinn the server alone shows a certificate, which the
//! client does not check, as openssl s_time does not. ID is ignored by quinn.

use anyhow::{ensure, Context, Result};
use rustls::crypto::{ring, CryptoProvider};
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

const FILE: &[u8] = b"bench/file";
const ECHO: &[u8] = b"alknet/echo";
const PIECE_BYTES: usize = 64 << 10;
const REQUEST_BYTES: usize = 64;
const UDP_PAYLOAD_BYTES_MAX: u16 = 1452;

fn provider() -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    provider.cipher_suites = vec![ring::cipher_suite::TLS13_AES_128_GCM_SHA256];
    Arc::new(provider)
}

/// The two name the same calls alike, but share no types.
macro_rules! workload {
    ($connection:ty) => {
        pub async fn send_file(connection: $connection, path: String) -> Result<()> {
            let (mut send, _receive) = connection.accept_bi().await?;
            let mut file = std::fs::File::open(path)?;
            let mut piece = vec![0; PIECE_BYTES];
            loop {
                let count = std::io::Read::read(&mut file, &mut piece)?;
                if count == 0 {
                    break;
                }
                send.write_all(&piece[..count]).await?;
            }
            send.finish()?;
            connection.closed().await;
            Ok(())
        }

        pub async fn echo(connection: $connection) -> Result<()> {
            loop {
                let (mut send, mut receive) = connection.accept_bi().await?;
                tokio::task::spawn_local(async move {
                    let mut piece = vec![0; PIECE_BYTES];
                    while let Ok(Some(count)) = receive.read(&mut piece).await {
                        if send.write_all(&piece[..count]).await.is_err() {
                            return;
                        }
                    }
                    let _ = send.finish();
                });
            }
        }

        pub async fn receive_file(connection: $connection, path: &str) -> Result<()> {
            let (mut send, mut receive) = connection.open_bi().await?;
            send.finish()?;
            let mut file = std::fs::File::create(path)?;
            let mut piece = vec![0; PIECE_BYTES];
            while let Some(count) = receive.read(&mut piece).await? {
                std::io::Write::write_all(&mut file, &piece[..count])?;
            }
            connection.close(0u32.into(), b"");
            Ok(())
        }

        async fn request_after_request(connection: $connection, left: Rc<Cell<usize>>) -> Result<()> {
            while left.get() > 0 {
                left.set(left.get() - 1);
                let (mut send, mut receive) = connection.open_bi().await?;
                send.write_all(&[0; REQUEST_BYTES]).await?;
                send.finish()?;
                let answer = receive.read_to_end(REQUEST_BYTES).await?;
                ensure!(answer.len() == REQUEST_BYTES, "an answer is not whole");
            }
            Ok(())
        }

        pub async fn requests(connection: $connection, depth: usize, count: usize) -> Result<()> {
            let left = Rc::new(Cell::new(count));
            let tasks: Vec<_> = (0..depth)
                .map(|_| tokio::task::spawn_local(request_after_request(connection.clone(), left.clone())))
                .collect();
            for task in tasks {
                task.await??;
            }
            connection.close(0u32.into(), b"");
            Ok(())
        }
    };
}

/// Serves what `$endpoint` accepts. A connection knows its ALPN in its own way: `$alpn` asks it.
macro_rules! accept {
    ($endpoint:expr, $file:expr, $alpn:expr) => {
        while let Some(incoming) = $endpoint.accept().await {
            let file = $file.clone();
            tokio::task::spawn_local(async move {
                if let Ok(connection) = incoming.await {
                    let _ = match $alpn(&connection).as_slice() {
                        FILE => send_file(connection, file).await,
                        _ => echo(connection).await,
                    };
                }
            });
        }
    };
}

mod native_iroh {
    use super::*;
    use iroh::endpoint::{presets, Connection, QuicTransportConfig, RelayMode};
    use iroh::{Endpoint, EndpointAddr, EndpointId};

    workload!(Connection);

    async fn endpoint(alpns: Vec<Vec<u8>>) -> Result<Endpoint> {
        Ok(Endpoint::builder(presets::Minimal)
            .crypto_provider(provider())
            .relay_mode(RelayMode::Disabled)
            .clear_ip_transports()
            .bind_addr("127.0.0.1:0")?
            .transport_config(QuicTransportConfig::builder().initial_mtu(UDP_PAYLOAD_BYTES_MAX).build())
            .max_tls_tickets(0)
            .alpns(alpns)
            .bind()
            .await?)
    }

    pub async fn serve(file: String) -> Result<()> {
        let endpoint = endpoint(vec![FILE.to_vec(), ECHO.to_vec()]).await?;
        println!("{{\"id\":\"{}\",\"port\":{}}}", endpoint.id(), endpoint.bound_sockets()[0].port());
        accept!(endpoint, file, |connection: &Connection| connection.alpn().to_vec());
        Ok(())
    }

    pub struct Client(Endpoint, EndpointAddr);

    impl Client {
        pub async fn new(id: &str, port: u16) -> Result<Client> {
            let id: EndpointId = id.parse()?;
            let address = EndpointAddr::new(id).with_ip_addr(SocketAddr::from(([127, 0, 0, 1], port)));
            Ok(Client(endpoint(vec![]).await?, address))
        }
        pub async fn connect(&self, alpn: &[u8]) -> Result<Connection> {
            Ok(self.0.connect(self.1.clone(), alpn).await?)
        }
        pub async fn close(self) {
            self.0.close().await;
        }
    }
}

mod native_quinn {
    use super::*;
    use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
    use quinn::Connection;
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::pki_types::{pem::PemObject, CertificateDer, PrivateKeyDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, SignatureScheme};

    workload!(Connection);

    fn transport() -> Arc<quinn::TransportConfig> {
        let mut transport = quinn::TransportConfig::default();
        transport.initial_mtu(UDP_PAYLOAD_BYTES_MAX);
        Arc::new(transport)
    }

    pub async fn serve(file: String, certificate: &str, key: &str) -> Result<()> {
        let mut tls = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_file(certificate)?],
                PrivateKeyDer::from_pem_file(key)?,
            )?;
        tls.alpn_protocols = vec![FILE.to_vec(), ECHO.to_vec()];
        let mut config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
        config.transport_config(transport());
        let endpoint = quinn::Endpoint::server(config, "127.0.0.1:0".parse()?)?;
        println!("{{\"id\":\"\",\"port\":{}}}", endpoint.local_addr()?.port());
        accept!(endpoint, file, |connection: &Connection| {
            let data = connection.handshake_data().expect("connected");
            let data = data.downcast::<quinn::crypto::rustls::HandshakeData>().expect("rustls");
            data.protocol.unwrap_or_default()
        });
        Ok(())
    }

    /// Checks signatures, as every client does, and believes every certificate.
    #[derive(Debug)]
    struct Anybody(Arc<CryptoProvider>);

    impl ServerCertVerifier for Anybody {
        fn verify_server_cert(
            &self, _: &CertificateDer<'_>, _: &[CertificateDer<'_>], _: &ServerName<'_>, _: &[u8], _: UnixTime,
        ) -> Result<ServerCertVerified, rustls::Error> {
            Ok(ServerCertVerified::assertion())
        }
        fn verify_tls12_signature(
            &self, _: &[u8], _: &CertificateDer<'_>, _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Err(rustls::Error::General("TLS 1.3 only".into()))
        }
        fn verify_tls13_signature(
            &self, message: &[u8], certificate: &CertificateDer<'_>, signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            let algorithms = &self.0.signature_verification_algorithms;
            rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
        }
        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }

    fn client_config(alpn: &[u8]) -> Result<quinn::ClientConfig> {
        let mut tls = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody(provider())))
            .with_no_client_auth();
        tls.alpn_protocols = vec![alpn.to_vec()];
        tls.resumption = rustls::client::Resumption::disabled();
        let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
        config.transport_config(transport());
        Ok(config)
    }

    pub struct Client(quinn::Endpoint, SocketAddr);

    impl Client {
        pub async fn new(_id: &str, port: u16) -> Result<Client> {
            let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse()?)?;
            Ok(Client(endpoint, SocketAddr::from(([127, 0, 0, 1], port))))
        }
        pub async fn connect(&self, alpn: &[u8]) -> Result<Connection> {
            Ok(self.0.connect_with(client_config(alpn)?, self.1, "localhost")?.await?)
        }
        pub async fn close(self) {
            self.0.wait_idle().await;
        }
    }
}

macro_rules! client {
    ($stack:ident, $words:expr) => {
        match $words {
            ["get", id, port, out] => {
                let client = $stack::Client::new(id, port.parse()?).await?;
                $stack::receive_file(client.connect(FILE).await?, out).await?;
                client.close().await;
                Ok(())
            }
            ["handshakes", id, port, count] => {
                let client = $stack::Client::new(id, port.parse()?).await?;
                for _ in 0..count.parse::<usize>()? {
                    client.connect(ECHO).await?.close(0u32.into(), b"");
                }
                client.close().await;
                Ok(())
            }
            ["requests", id, port, depth, count] => {
                let client = $stack::Client::new(id, port.parse()?).await?;
                $stack::requests(client.connect(ECHO).await?, depth.parse()?, count.parse()?).await?;
                client.close().await;
                Ok(())
            }
            _ => None.context("see the top of bench_peer.rs"),
        }
    };
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let work = async move {
        match words.as_slice() {
            ["iroh", "serve", file, _, _] => native_iroh::serve(file.to_string()).await,
            ["quinn", "serve", file, certificate, key] => native_quinn::serve(file.to_string(), certificate, key).await,
            ["iroh", rest @ ..] => client!(native_iroh, rest),
            ["quinn", rest @ ..] => client!(native_quinn, rest),
            _ => None.context("see the top of bench_peer.rs"),
        }
    };
    tokio::task::LocalSet::new().run_until(work).await
}
