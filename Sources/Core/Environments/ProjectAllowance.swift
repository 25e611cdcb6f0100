/// Which source trees may be installed.
enum ProjectAllowance {
    /// Reads a tree that a job names.
    ///
    /// Symbolic links are followed to where the folder really is, which must be allowed too.
    ///
    /// - Throws: `.dependency` when there is no such folder or it leads out of what is allowed.
    static func read(_ path: String, allowed: [String]) throws -> ProjectTree {
        guard let real = ProjectTree.resolved(path) else {
            throw EngineError(.dependency, "the project \(path) does not exist on the engine's machine")
        }
        let places = allowed.compactMap(ProjectTree.resolved)
        guard places.contains(where: { PathRules.isInside(real, $0) }) else {
            throw EngineError(
                .dependency, "the project \(path) leads out of the folders of environments.project_allow")
        }
        return try ProjectTree.read(real)
    }
}
