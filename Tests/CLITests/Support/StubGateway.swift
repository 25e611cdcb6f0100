import Foundation
import SlipwayCore

/// A server that gives prepared answers, for what a real gateway cannot be brought to say.
enum StubGateway {
    /// Gives one answer a request, the last one for ever; a status of 0 breaks the connection instead.
    private static let program = """
        import http.server, json, sys

        answers = json.loads(sys.argv[1])

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, body = answers.pop(0) if len(answers) > 1 else answers[0]
                self.close_connection = True
                if status == 0:
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            do_GET = do_POST = answer

            def log_message(self, *words):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        print(server.server_port, flush=True)
        server.serve_forever()
        """

    /// Serves while the body runs, with a tool that finds it.
    static func with(
        _ answers: [(status: Int, body: String)], _ body: (CommandLineTool) async throws -> Void
    ) async throws {
        let prepared = JSONValue.array(answers.map { .array([.integer(Int64($0.status)), .string($0.body)]) })
        let server = try RunningTool(
            URL(fileURLWithPath: "/usr/bin/env"),
            ["python3", "-c", program, String(decoding: prepared.serialized(), as: UTF8.self)],
            environment: ProcessInfo.processInfo.environment, folder: URL(fileURLWithPath: "/tmp"))
        defer { server.signal(SIGKILL) }
        try await server.waits(for: "\n")
        let port = server.out.trimmingCharacters(in: .newlines)
        try await body(
            CommandLineTool(variables: ["SLIPWAY_URL": "http://127.0.0.1:\(port)", "SLIPWAY_KEY": "k"]))
    }
}
