import SlipwayCore
import Testing

/// Blocks of user ids: no two overlap, and what was given back can be had again in any width.
@Suite struct UserIDAllocatorTests {
    private static let range = IDRange(first: 1000, count: 40)

    @Test func blocksAreAsWideAsTheirSlots() throws {
        var ids = UserIDAllocator(range: Self.range)
        let one = try ids.take()
        let wide = try ids.take(slots: 4)
        let next = try ids.take()
        #expect(one == [1000, 1001, 1002] && wide == Array(1004...1012) && next.first == 1016)
        ids.give(wide)
        for _ in 0..<8 { _ = try ids.take() }
        #expect(throws: EngineError.self) { try ids.take() }
    }

    @Test func returnedBlocksAreUsedBeforeNewIDsAndJoinTheirNeighbours() throws {
        var ids = UserIDAllocator(range: Self.range)
        for _ in 0..<11 {
            let block = try ids.take()
            #expect(block.first == 1000, "what was given back comes first")
            ids.give(block)
        }
        var blocks: [[Int]] = []
        while let block = try? ids.take() { blocks.append(block) }
        #expect(blocks.count == 10)
        for block in blocks[3...5] { ids.give(block) }
        #expect(try ids.take(slots: 4) == Array(1012...1020), "three narrow blocks make one wide one")
        ids.give(blocks[0])
        ids.give(blocks[2])
        let error = #expect(throws: EngineError.self) { try ids.take(slots: 4) }
        #expect(error?.message.contains("no 12 free ids in a row, 8 in all") == true, "\(error?.message ?? "")")
    }

    @Test func foundBlocksAreKeptFromOthersUntilTheyAreGivenBack() throws {
        var ids = UserIDAllocator(range: Self.range)
        let found = Array(1016...1024)
        ids.reserve(found)
        var seen = Set(found)
        while let block = try? ids.take() {
            #expect(seen.isDisjoint(with: block), "\(block)")
            seen.formUnion(block)
        }
        #expect(seen.count == found.count + 3 * 7)
        ids.give(found)
        #expect(try ids.take(slots: 4) == found)
    }

    @Test func idsOfAnotherRangeTakeNothingAndGiveNothing() throws {
        var ids = UserIDAllocator(range: Self.range)
        for foreign in [[500, 501, 502], [1040, 1041, 1042], [60_000, 60_001, 60_002]] { ids.reserve(foreign) }
        // Across the edges, and two blocks that meet in one unit.
        ids.reserve([998, 999, 1000])
        ids.reserve([1006, 1007, 1008])
        ids.reserve([1010, 1011, 1012])
        var seen: Set<Int> = [1000, 1006, 1007, 1008, 1010, 1011, 1012]
        var count = 0
        while let block = try? ids.take() {
            #expect(seen.isDisjoint(with: block) && block.allSatisfy { (1000..<1040).contains($0) }, "\(block)")
            seen.formUnion(block)
            count += 1
        }
        #expect(count == 6)
        ids.give([1006, 1007, 1008])
        #expect(try ids.take().first == 1004, "the unit that the other block lies in is still taken")
        #expect(throws: EngineError.self) { try ids.take() }
        ids.give([500, 501, 502])
        #expect(throws: EngineError.self) { try ids.take() }
    }
}
