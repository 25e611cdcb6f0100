/// Names one attempt of one job on the channel to a supervisor.
///
/// The nonce is 128 random bits in hexadecimal: a frame that does not repeat it exactly is not about this attempt.
package struct TaskReference: Hashable, Sendable {
    /// The job's identifier.
    package let job: String
    /// The number of the attempt, from 1.
    package let attempt: Int
    /// 32 hexadecimal digits.
    package let nonce: String

    package init(job: String, attempt: Int, nonce: String) {
        self.job = job
        self.attempt = attempt
        self.nonce = nonce
    }

    /// The most bytes of a job's identifier on the channel.
    static let jobLimitBytes = 128

    /// Whether a text has the shape of a nonce.
    static func isNonce(_ text: String) -> Bool {
        text.utf8.count == 32 && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }

    /// Draws a new nonce.
    package static func makeNonce() -> String {
        var generator = SystemRandomNumberGenerator()
        var text: [UInt8] = []
        text.reserveCapacity(32)
        let digits = Array("0123456789abcdef".utf8)
        for _ in 0..<2 {
            var bits = generator.next()
            for _ in 0..<16 {
                text.append(digits[Int(bits & 15)])
                bits >>= 4
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
