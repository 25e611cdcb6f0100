import SlipwayCore

/// Decides which tenant may hold how many of the bytes that all share, and who of those that wait comes next.
///
/// No tenant comes to hold more than it leaves to the others: half of all bytes when it is alone, less when others hold
/// some. A tenant that holds nothing may take all that is free, so that one large request passes, and one that needs
/// more than there is in all gets its turn when nobody holds anything.
///
/// Within a tenant those who wait keep their order. Of the tenants the one comes first that will then hold the least,
/// and of several the one that has waited longest. As long as there is no room for it, nobody that would hold more
/// goes before it; one whose tenant holds too much for its share holds up nobody else.
package struct FairShares: Sendable {
    private struct Waiter {
        let number: Int
        let bytes: Int
    }

    /// The first in a tenant's line.
    private struct Head {
        let tenant: TenantID
        let waiter: Waiter
        /// What its tenant holds, and what it will hold with the bytes of this one.
        let held: Int
        var heldThen: Int { held + waiter.bytes }
    }

    private let limitBytes: Int
    /// What each tenant holds; those that hold nothing are left out.
    private var held: [TenantID: Int] = [:]
    /// Those who wait; no line is empty.
    private var lines: [TenantID: [Waiter]] = [:]
    private var nextNumber = 0
    /// How many bytes are held in all.
    package private(set) var usedBytes = 0

    /// - Parameter limitBytes: How many bytes there are in all.
    package init(limitBytes: Int) { self.limitBytes = limitBytes }

    /// How many wait.
    package var waiting: Int { lines.values.reduce(0) { $0 + $1.count } }

    /// Takes bytes at once, where that is nobody else's turn.
    ///
    /// - Returns: Whether they are taken; nobody waits for them otherwise.
    package mutating func take(_ bytes: Int, of tenant: TenantID) -> Bool {
        guard lines[tenant] == nil else { return false }
        lines[tenant] = [Waiter(number: .max, bytes: bytes)]
        defer { lines[tenant] = nil }
        guard next()?.tenant == tenant else { return false }
        hold(bytes, tenant)
        return true
    }

    /// Goes to the end of the tenant's line.
    ///
    /// - Returns: The number by which the place is known.
    package mutating func line(up bytes: Int, of tenant: TenantID) -> Int {
        nextNumber += 1
        lines[tenant, default: []].append(Waiter(number: nextNumber, bytes: bytes))
        return nextNumber
    }

    /// Leaves the line.
    ///
    /// - Returns: The numbers of those who have their bytes now, for this one may have been all that they waited for;
    ///   nil when it waits no longer.
    package mutating func leave(_ number: Int, of tenant: TenantID) -> [Int]? {
        guard let index = lines[tenant]?.firstIndex(where: { $0.number == number }) else { return nil }
        removeWaiter(at: index, tenant)
        return admit()
    }

    /// Gives bytes of a tenant back.
    ///
    /// - Returns: The numbers of those who have their bytes now.
    package mutating func giveBack(_ bytes: Int, of tenant: TenantID) -> [Int] {
        usedBytes -= bytes
        let left = held[tenant, default: 0] - bytes
        held[tenant] = left > 0 ? left : nil
        return admit()
    }

    /// Hands bytes to those whose turn it is, as long as there is room for the next one.
    private mutating func admit() -> [Int] {
        var admitted: [Int] = []
        while let head = next() {
            hold(head.waiter.bytes, head.tenant)
            removeWaiter(at: 0, head.tenant)
            admitted.append(head.waiter.number)
        }
        return admitted
    }

    /// Whose turn it is; nil while there is no room for that one.
    private func next() -> Head? {
        var first: Head?
        for (tenant, line) in lines {
            guard let waiter = line.first else { continue }
            let head = Head(tenant: tenant, waiter: waiter, held: held[tenant, default: 0])
            guard isWithinShare(head) else { continue }
            if let other = first, (other.heldThen, other.waiter.number) < (head.heldThen, waiter.number) { continue }
            first = head
        }
        guard let first, usedBytes == 0 || usedBytes + first.waiter.bytes <= limitBytes else { return nil }
        return first
    }

    /// Whether a tenant leaves to the others as much as it will hold; one that holds nothing need not.
    private func isWithinShare(_ head: Head) -> Bool {
        head.held == 0 || head.heldThen <= limitBytes - usedBytes - head.waiter.bytes
    }

    private mutating func hold(_ bytes: Int, _ tenant: TenantID) {
        usedBytes += bytes
        held[tenant, default: 0] += bytes
    }

    private mutating func removeWaiter(at index: Int, _ tenant: TenantID) {
        lines[tenant]?.remove(at: index)
        if lines[tenant]?.isEmpty == true { lines[tenant] = nil }
    }
}
