import Foundation

/// Checks where a job wants its requirements from.
struct InstallationValidator {
    let limits: RequestLimits
    let faults: FaultList

    func check(_ request: JobRequest) {
        if let index = request.indexURL { checkIndex(index) }
        if let project = request.project { checkProject(project) }
        if request.project != nil, request.requirements.contains(where: { RequirementText($0).isHashed }) {
            faults.add(
                "/project", "invalid",
                "A project has no hash: requirements with hashes cannot be installed together with one")
        }
    }

    private func checkIndex(_ index: String) {
        let parts = URLComponents(string: index)
        guard index.utf8.count <= 1024, index.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), let parts,
            ["https", "http"].contains(parts.scheme), parts.host?.isEmpty == false
        else {
            faults.add("/index_url", "invalid", "The index must be an address such as https://pypi.example.org/simple")
            return
        }
        guard parts.user == nil, parts.password == nil, parts.query == nil, parts.fragment == nil else {
            faults.add(
                "/index_url", "invalid",
                "The index must have no user, password or query: credentials belong into environments.index_url of the "
                    + "configuration")
            return
        }
        guard !PathRules.parts(of: parts.path).contains("..") else {
            faults.add("/index_url", "invalid", "The index's path must not contain ..")
            return
        }
        if !limits.indexes.contains(where: { Glob.matches($0, index) }) {
            faults.add(
                "/index_url", "not-allowed",
                limits.indexes.isEmpty
                    ? "Jobs may not name an index here: environments.index_allow is empty"
                    : "The index is not on the list of environments.index_allow")
        }
    }

    private func checkProject(_ project: String) {
        guard PathRules.isClean(project), project != "/" else {
            faults.add("/project", "invalid", "The project must be an absolute path without . and ..")
            return
        }
        if !limits.projects.contains(where: { PathRules.isInside(project, $0) }) {
            faults.add(
                "/project", "not-allowed",
                limits.projects.isEmpty
                    ? "Jobs may not install projects here: environments.project_allow is empty"
                    : "The folder is not on the list of environments.project_allow")
        }
    }
}
