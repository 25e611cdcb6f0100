import SlipwayCore

/// The tasks that the benchmark runs: the smallest ones, so that the way to them is what is measured.
enum BenchTasks {
    /// Source whose `main` returns 42.
    static let source = "def main():\n    return 42\n"
    /// Protocol 4 pickle of `(operator.mul, (21, 2), {})`.
    static let pickle: [UInt8] = [
        128, 4, 149, 31, 0, 0, 0, 0, 0, 0, 0, 140, 9, 95, 111, 112, 101, 114, 97, 116, 111, 114, 148, 140, 3, 109, 117,
        108, 148, 147, 148, 75, 21, 75, 2, 134, 148, 125, 148, 135, 148, 46,
    ]

    /// A call that prints a pickled one of a function by value; only the Python that is to run it can make that.
    static var picklingRequest: JobRequest {
        let code = """
            import base64, cloudpickle
            print(base64.b64encode(cloudpickle.dumps((lambda x: x * 2, (21,), {}), 4)).decode(), end="")
            """
        // Protocol 3 pickle of `(exec, (code,), {})`.
        var pickle: [UInt8] = [128, 3] + Array("cbuiltins\nexec\n(X".utf8)
        pickle += withUnsafeBytes(of: UInt32(code.utf8.count).littleEndian) { Array($0) }
        return JobRequest(task: .callable(pickle: pickle + Array(code.utf8) + Array("t}".utf8) + [0x87, 0x2E]))
    }

    static var sourceRequest: JobRequest { JobRequest(task: .source(source)) }
    static var callableRequest: JobRequest { JobRequest(task: .callable(pickle: pickle)) }

    /// The source task as a REST caller sends it.
    static let body = Array(#"{"task":{"type":"source","code":"def main():\n    return 42\n"}}"#.utf8)
}
