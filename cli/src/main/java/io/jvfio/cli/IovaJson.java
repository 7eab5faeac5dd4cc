// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import io.jvfio.AddressVerdict;
import io.jvfio.LiveMapping;
import io.jvfio.cli.option.AddressText;
import io.jvfio.cli.output.Json;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/** A DMA space as a JSON document. */
final class IovaJson {
  private IovaJson() {}

  static Map<String, Object> of(IovaReport report) {
    var layout = report.layout();
    return Json.object(
        "host", report.host(),
        "address", report.address(),
        "iommu", layout.type().id(),
        "windows",
            layout.windows().stream()
                .map(
                    window ->
                        Json.object(
                            "start", AddressText.of(window.start()),
                            "last", AddressText.of(window.last()),
                            "pageSize", window.pageSize()))
                .toList(),
        "dynamicWindows",
            report
                .windowing()
                .map(
                    choice ->
                        Json.object(
                            "limit", choice.limit(),
                            "pageSizes", choice.pageSizes(),
                            "levels", choice.levels())),
        "reserved",
            layout.reserved().stream()
                .map(
                    range ->
                        Json.object(
                            "start", AddressText.of(range.start()),
                            "last", AddressText.of(range.last()),
                            "kind", range.kind()))
                .toList(),
        "mappings", layout.mappings().stream().map(IovaJson::json).toList(),
        "entriesLeft", layout.entriesLeft(),
        "lockedBytes", layout.lockedBytes(),
        "lockableBytes", layout.lockableBytes(),
        "explain", report.explained().map(IovaJson::json),
        "fits", report.fits().stream().map(IovaJson::json).toList());
  }

  private static Map<String, Object> json(LiveMapping mapping) {
    return Json.object(
        "iova", AddressText.of(mapping.iova()),
        "byteSize", mapping.byteSize(),
        "access", IovaReport.access(mapping.access()),
        "mapped", mapping.mapped(),
        "place", mapping.place());
  }

  private static Map<String, Object> json(AddressVerdict verdict) {
    return Json.object(
        "iova", AddressText.of(verdict.iova()),
        "byteSize", verdict.byteSize(),
        "free", verdict.free(),
        "reason", verdict.reason(),
        "nextFree", address(verdict.nextFree()));
  }

  private static Map<String, Object> json(IovaReport.Fit fit) {
    var estimate = fit.estimate();
    return Json.object(
        "byteSize", fit.asked().byteSize(),
        "at", address(fit.asked().iova()),
        "fits", estimate.fits(),
        "iova", address(estimate.iova()),
        "lockedBytesNeeded", estimate.lockedBytesNeeded(),
        "lockedBytesAvailable", estimate.lockedBytesAvailable(),
        "entriesNeeded", estimate.entriesNeeded(),
        "entriesAvailable", estimate.entriesAvailable(),
        "changes", estimate.changes());
  }

  private static Optional<String> address(OptionalLong address) {
    return address.isPresent()
        ? Optional.of(AddressText.of(address.getAsLong()))
        : Optional.empty();
  }
}
