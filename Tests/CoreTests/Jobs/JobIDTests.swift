import Foundation
import SlipwayCore
import Testing

@Suite("Job identifiers")
struct JobIDTests {
    private static let alphabet = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ")

    /// The value of each character behind the prefix, 5 bits each.
    private func digits(_ id: JobID) throws -> [Int] {
        try id.description.dropFirst(4).map { try #require(Self.alphabet.firstIndex(of: $0)) }
    }

    @Test("the last 26 characters are 130 random bits: each bit is as often 1 as 0, and no two go together")
    func random() throws {
        let ids = (0..<4096).map { _ in JobID() }
        #expect(Set(ids).count == ids.count)
        // For each bit what it is in all of them.
        var columns = [[UInt64]](repeating: [UInt64](repeating: 0, count: 64), count: 130)
        for (number, id) in ids.enumerated() {
            let digits = try digits(id)
            try #require(digits.count == 36)
            for bit in 0..<130 where digits[10 + bit / 5] >> (bit % 5) & 1 == 1 {
                columns[bit][number / 64] |= 1 << UInt64(number % 64)
            }
        }
        // Six standard deviations of as many throws of a coin: one sound run in 50,000 leaves them.
        let bounds = (2048 - 192)...(2048 + 192)
        for (bit, column) in columns.enumerated() {
            #expect(bounds.contains(column.reduce(0) { $0 + $1.nonzeroBitCount }), "bit \(bit)")
            for (other, against) in columns[..<bit].enumerated() {
                let differing = zip(column, against).reduce(0) { $0 + ($1.0 ^ $1.1).nonzeroBitCount }
                if !bounds.contains(differing) { Issue.record("bits \(bit) and \(other) differ \(differing) times") }
            }
        }
    }

    @Test("the first ten characters are the milliseconds since 1970, and sort by them")
    func time() throws {
        func now() -> Int { Int(Date().timeIntervalSince1970 * 1000) }
        var ids: [JobID] = []
        var last = 0
        for _ in 0..<40 {
            // A moment later than that of the identifier before.
            while now() <= last + 1 { usleep(200) }
            let before = now()
            let id = JobID()
            last = now()
            let told = try digits(id).prefix(10).reduce(0) { $0 << 5 | $1 }
            #expect((before...last).contains(told))
            ids.append(id)
        }
        #expect(ids.shuffled().sorted() == ids)
        #expect(ids.map(\.description).shuffled().sorted() == ids.map(\.description))
    }

    @Test("what has another shape is none")
    func shape() throws {
        let text = JobID().description
        #expect(JobID(text)?.description == text)
        let others = [
            "", text.lowercased(), text + "0", String(text.dropLast()), "sbx_" + text.dropFirst(4),
            text.dropLast() + "U", " " + text, text.dropLast() + "é",
        ]
        for other in others { #expect(JobID(other) == nil, "\(other)") }
    }
}
