import SlipwayCore
import Testing

@Suite struct ProcessorListTests {
    @Test(
        "what the kernel writes is read",
        arguments: [
            ("0", [0]), ("0-3", [0, 1, 2, 3]), ("0-1,8,10-11", [0, 1, 8, 10, 11]), ("5,2", [2, 5]), ("3-3,3", [3]),
        ])
    func reads(_ text: String, _ numbers: [Int]) throws {
        #expect(try #require(ProcessorList(text)).numbers == numbers)
    }

    @Test(
        "anything else is refused",
        arguments: ["", ",", "a", "-", "1-", "-1", "2-1", "0-1-2", "0,", " 0", "0-8192", "9223372036854775808"])
    func refuses(_ text: String) { #expect(ProcessorList(text) == nil) }

    @Test("a list that names everything over and over is refused")
    func refusesRepeats() {
        #expect(ProcessorList(Array(repeating: "0-8191", count: 50).joined(separator: ",")) == nil)
    }

    @Test("those are picked that the fewest others are kept to, the last ones first")
    func leastTaken() throws {
        let all = try #require(ProcessorList("0-3"))
        let first = try #require(all.leastTaken(1, beside: []))
        #expect(first.text == "3")
        let second = try #require(all.leastTaken(2, beside: [first]))
        #expect(second.text == "1,2")
        let third = try #require(all.leastTaken(1, beside: [first, second]))
        #expect(third.text == "0")
        // One more than there are processors has to share.
        #expect(all.leastTaken(1, beside: [first, second, third])?.text == "3")
        #expect(all.leastTaken(3, beside: [first, first])?.text == "0,1,2")
    }

    @Test("nothing is picked where there is nothing to choose")
    func nothing() throws {
        let two = try #require(ProcessorList("0-1"))
        #expect(two.leastTaken(2, beside: []) == nil)
        #expect(two.leastTaken(4, beside: []) == nil)
        #expect(try #require(ProcessorList("7")).leastTaken(1, beside: []) == nil)
        #expect(two.leastTaken(0, beside: [])?.numbers.count == 1)
    }
}
