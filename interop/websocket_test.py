"""WebSockets: npm's ws on both sides of a route, over HTTP/1.1 and HTTP/2."""

import json
import unittest

import harness


class Websocket(harness.PeerTest):
    peer = "ws (npm)"

    @classmethod
    def version(cls):
        return harness.npm_version("ws")

    def talk(self, version):
        upstream = self.child(
            harness.need("node"), harness.HERE / "peers/websocket_server.mjs", cwd=harness.HERE)
        server = json.loads(upstream.wait_for(r"\{.*listening.*\}").group(0))["listening"]
        _, _, port = self.serve(
            config=f'[[http.site]]\n[[http.site.route]]\npath = "/chat"\nproxy = "http://127.0.0.1:{server}"\n')
        heard = self.node_script("websocket_client.mjs", version, f"127.0.0.1:{port}", "/chat/room?q")
        self.assertEqual(heard, {
            "path": "/chat/room?q", "from": "127.0.0.1", "text": "text: äöü €", "same": True,
            "fragments": "in three fragments", "pong": "are you there", "code": 4001, "reason": "enough"})
        upstream.wait_for('"closed":4001,"reason":"enough"')

    def test_through_a_route(self):
        self.talk("h1")

    def test_through_a_route_over_http_2(self):
        self.talk("h2")

    def call(self, port, *arguments):
        return self.node_script("call_socket.mjs", f"127.0.0.1:{port}", *arguments)

    def test_alknet_call(self):
        _, _, port = self.serve(config="[[http.site]]\ncall = true\n")
        heard = self.call(port, "/services/list", "/node/info")
        self.assertEqual((heard["protocol"], heard["code"]), ("alknet.call", 1000))
        listed = heard["answers"]["/services/list"]["output"]["operations"]
        self.assertEqual([one["name"] for one in listed], ["/services/list", "/services/schema"])
        self.assertEqual(heard["answers"]["/node/info"]["code"], "FORBIDDEN")

    def test_alknet_call_with_a_token(self):
        _, _, port = self.serve(config="[[http.site]]\ncall = true\n")
        home = self.home / "serve"
        made = harness.alknet("token", "add", "--scopes", "node:read", "--home", home, "--json")
        token = json.loads(made.stdout)["token"]
        heard = self.call(port, "--token", token, "/node/info", "/services/list")
        self.assertEqual(heard["answers"]["/node/info"]["type"], "call.responded", heard)
        self.assertIn("version", heard["answers"]["/node/info"]["output"])
        self.assertEqual(self.call(port, "--token", token[:-1] + "a" * (token[-1] != "a") + "b" * (token[-1] == "a")),
                         {"refused": 401})

    def test_alknet_call_from_another_site(self):
        _, _, port = self.serve(config="[[http.site]]\ncall = true\n")
        self.assertEqual(self.call(port, "--origin", "https://other.example"), {"refused": 403})
        heard = self.call(port, "--origin", f"https://127.0.0.1:{port}", "/services/list")
        self.assertEqual(heard["code"], 1000)


if __name__ == "__main__":
    unittest.main(verbosity=2)
