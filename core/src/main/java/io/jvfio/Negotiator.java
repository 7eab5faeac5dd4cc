// SPDX-License-Identifier: Apache-2.0
package io.jvfio;

import static java.util.Objects.requireNonNull;

import io.jvfio.Attempt.Outcome;
import io.jvfio.Attempt.Step;
import io.jvfio.dma.MappedSpace;
import io.jvfio.iommu.GroupAccess;
import io.jvfio.iommu.IoasDomain;
import io.jvfio.iommu.IommuDomain;
import io.jvfio.iommu.NoIommuDomain;
import io.jvfio.iommu.OpenContainer;
import io.jvfio.iommu.OpenIommufd;
import io.jvfio.iommu.SpaprV1Domain;
import io.jvfio.iommu.SpaprV2Domain;
import io.jvfio.iommu.Type1Domain;
import io.jvfio.jfr.Jfr;
import io.jvfio.jfr.NegotiationAttemptEvent;
import io.jvfio.jfr.NegotiationEvent;
import io.jvfio.kernel.Cleanup;
import io.jvfio.kernel.Explanations;
import io.jvfio.kernel.HostFacts;
import io.jvfio.kernel.Refusal;
import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.Vfio;
import io.jvfio.spi.Explanation;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Finds the IOMMU type that works for one group.
 *
 * <p>A candidate goes through advertised → accepted → described → usable. The first that is usable
 * is chosen. A candidate that does not exist here gives way to the next; an error that the user can
 * mend (no memory, busy, no permission) ends the search, since another type would only hide it.
 *
 * <p>On pSeries a question can do harm: a window that cannot be created takes the device's DMA away
 * until the next boot. So a machine without Dynamic DMA Windows is recognised from the device tree
 * and from GET_INFO, before anything is mapped.
 */
final class Negotiator implements AutoCloseable {
  /** The warning that goes with a device that nothing confines. */
  static final String UNPROTECTED =
      "Without an IOMMU nothing is protected: the device reads and writes all memory of this machine by physical"
          + " address, a wrong address corrupts the kernel, and the kernel may move pages that a device uses.";

  /** What can be told to have been left out, in the order of preference. */
  private static final List<IommuType> UNTRIED_ORDER =
      Stream.concat(IommuPolicy.DEFAULT_ORDER.stream(), Stream.of(IommuType.NOIOMMU)).toList();

  private final HostFacts facts;
  private final Explanations explanations;
  private final IommuGroup group;
  private final IommuPolicy policy;
  private final Optional<IommuType> settled;
  private @Nullable OpenContainer container;
  private @Nullable OpenIommufd iommufd;
  private @Nullable IommuDomain domain;

  /**
   * A negotiation for one group, which has not begun.
   *
   * @param policy what the user asked for
   * @param settled the type of the groups that this one is opened with, which is the only candidate
   *     then; empty for a group that is the first, or alone
   */
  Negotiator(HostFacts facts, IommuGroup group, IommuPolicy policy, Optional<IommuType> settled) {
    this.facts = facts;
    this.explanations = new Explanations(facts);
    this.group = group;
    this.policy = policy;
    this.settled = settled;
  }

  private List<IommuType> candidates() {
    return settled.map(List::of).orElseGet(policy::candidates);
  }

  /**
   * Tries candidates until one is usable, and keeps it.
   *
   * @throws VfioException if the group cannot be opened at all
   */
  Negotiation negotiate() {
    return recorded("open", this::findUsable);
  }

  /** A negotiation by {@code steps}, which is told to a recording, whatever its end. */
  private Negotiation recorded(String purpose, Supplier<Negotiation> steps) {
    var event = Jfr.isInUse() ? NegotiationEvent.started() : null;
    if (event == null) {
      return steps.get();
    }
    try {
      var result = steps.get();
      event.ended(group.label(), purpose, result);
      return result;
    } catch (VfioException e) {
      event.ended(group.label(), purpose, e.getMessage());
      throw e;
    }
  }

  private Negotiation findUsable() {
    var attempts = new ArrayList<Attempt>();
    Optional<IommuType> chosen = Optional.empty();
    @Nullable VfioException failure = null;
    for (var type : candidates()) {
      if (chosen.isPresent()) {
        attempts.add(skipped(type, "Not tried: " + chosen.get() + " works and comes before it."));
      } else if (failure != null) {
        attempts.add(
            skipped(type, "Not tried: an error that another type would only hide came first."));
      } else {
        var tried = attempt(type);
        attempts.add(tried.attempt());
        failure = tried.failure();
        if (tried.domain() != null) {
          domain = tried.domain();
          chosen = Optional.of(type);
        }
      }
    }
    return result(attempts, chosen, Optional.ofNullable(failure));
  }

  /** Tries every candidate, keeps none. */
  Negotiation survey() {
    return recorded("probe", this::tryAll);
  }

  private Negotiation tryAll() {
    var attempts = new ArrayList<Attempt>();
    Optional<IommuType> chosen = Optional.empty();
    Optional<VfioException> failure = Optional.empty();
    try {
      for (var type : candidates()) {
        var tried = attempt(type);
        attempts.add(tried.attempt());
        if (tried.domain() != null) {
          if (chosen.isEmpty() && failure.isEmpty()) {
            chosen = Optional.of(type);
          }
          startOver();
        } else if (chosen.isEmpty() && failure.isEmpty()) {
          failure = Optional.ofNullable(tried.failure());
        }
      }
    } catch (VfioException e) {
      // The group cannot be opened the way that this type needs, nor for those after it.
      failure = chosen.isEmpty() && failure.isEmpty() ? Optional.of(e) : failure;
    }
    return result(attempts, chosen, failure);
  }

  private Negotiation result(
      List<Attempt> attempts, Optional<IommuType> chosen, Optional<VfioException> failure) {
    boolean hasEndedInVain = chosen.isEmpty() && failure.isEmpty();
    return new Negotiation(
        attempts, chosen, failure, hasEndedInVain ? leftOut(attempts) : List.of());
  }

  /**
   * The types that were no candidates and that the kernel offers to this group. It is only asked;
   * what was forbidden is not tried. Nesting is never worth a try, and neither is a second version
   * of sPAPR where the first is known to lack what both need.
   */
  private List<Attempt> leftOut(List<Attempt> attempts) {
    var withoutWindows = explanations.noDynamicWindows().text();
    boolean isSpaprInVain =
        attempts.stream().anyMatch(attempt -> attempt.meaning().equals(withoutWindows));
    var candidates = candidates();
    var left = new ArrayList<Attempt>();
    try {
      for (var type : UNTRIED_ORDER) {
        boolean isInVain =
            isSpaprInVain && (type == IommuType.SPAPR_TCE || type == IommuType.SPAPR_TCE_V2);
        if (!candidates.contains(type) && !isInVain && isOffered(type)) {
          left.add(
              new Attempt(
                  type,
                  true,
                  Step.NONE,
                  Outcome.SKIPPED,
                  callThatTells(type),
                  Optional.empty(),
                  "It is advertised, and " + whyLeftOut(type)));
        }
      }
    } catch (VfioException e) {
      return List.of(); // the group cannot be opened in the other way, so nobody can tell
    }
    return left;
  }

  private boolean isOffered(IommuType type) {
    return type == IommuType.IOMMUFD
        ? hasDeviceNode()
        : container().containerFile().ioctl(Vfio.VFIO_CHECK_EXTENSION, type.extension().getAsInt())
            > 0;
  }

  private boolean hasDeviceNode() {
    return group.devices().stream()
        .anyMatch(device -> facts.deviceNode(device.address()).isPresent());
  }

  private String whyLeftOut(IommuType type) {
    if (policy.forbidden().contains(type)) {
      return "was forbidden, so it was not tried.";
    }
    if (settled.isPresent() && policy.candidates().contains(type)) {
      return "was not tried: the groups before this one have another.";
    }
    return type == IommuType.NOIOMMU
        ? "is taken only by name. " + UNPROTECTED
        : "was not asked for, so it was not tried.";
  }

  /** The domain of the chosen type, ready for use; null if there is none. */
  @Nullable IommuDomain domain() {
    return domain;
  }

  /** Gives away what the chosen domain needs, to be closed by the caller. */
  GroupAccess handOver() {
    var access = requireNonNull(iommufd != null ? iommufd : container);
    iommufd = null;
    container = null;
    return access;
  }

  /** A group is open in one way at a time. */
  private OpenContainer container() {
    if (container == null) {
      close();
      container = OpenContainer.open(facts.kernel(), explanations, group);
    }
    return container;
  }

  /** Undoes what an attempt has left, so that the next one starts from nothing. */
  private void startOver() {
    if (container != null) {
      container.startOver();
    } else {
      close();
    }
  }

  @Override
  public void close() {
    try (var steps = new Cleanup()) {
      if (iommufd != null) {
        steps.add(iommufd::close);
        iommufd = null;
      }
      if (container != null) {
        steps.add(container::close);
        container = null;
      }
    }
  }

  private record Tried(
      Attempt attempt, @Nullable IommuDomain domain, @Nullable VfioException failure) {
    Tried(Attempt attempt) {
      this(attempt, null, null);
    }
  }

  private Tried attempt(IommuType type) {
    var event = Jfr.isInUse() ? NegotiationAttemptEvent.started() : null;
    var tried = tryType(type);
    if (event != null) {
      event.ended(group.label(), tried.attempt());
    }
    return tried;
  }

  /** Tries one type; the only place that tells one from another by how it is reached. */
  private Tried tryType(IommuType type) {
    return switch (type) {
      case IOMMUFD -> attemptIommufd();
      case TYPE1, TYPE1V2, TYPE1_NESTING ->
          attemptInContainer(type, opened -> new Type1Domain(type, opened));
      case SPAPR_TCE -> attemptInContainer(type, SpaprV1Domain::new);
      case SPAPR_TCE_V2 -> attemptInContainer(type, opened -> new SpaprV2Domain(opened, facts));
      case NOIOMMU -> attemptInContainer(type, NoIommuDomain::new);
      case VFIO_USER -> throw new IllegalArgumentException("no group has IOMMU type " + type);
    };
  }

  /** A container has a type once SET_IOMMU has accepted it. */
  private Tried attemptInContainer(IommuType type, Function<OpenContainer, IommuDomain> newDomain) {
    int extension = type.extension().orElseThrow();
    var file = container().containerFile();
    int advertised = file.ioctl(Vfio.VFIO_CHECK_EXTENSION, extension);
    if (advertised <= 0) {
      return new Tried(
          notAdvertised(
              type, advertised < 0 ? Optional.of(Errno.ofResult(advertised)) : Optional.empty()));
    }
    if (type == IommuType.SPAPR_TCE && isWithoutDynamicWindows(container())) {
      return new Tried(
          new Attempt(
              type,
              true,
              Step.DESCRIBED,
              Outcome.UNUSABLE,
              Optional.of(Vfio.VFIO_IOMMU_SPAPR_TCE_GET_INFO.name()),
              Optional.empty(),
              explanations.noDynamicWindows().text()));
    }
    int accepted = file.ioctl(Vfio.VFIO_SET_IOMMU, extension);
    if (accepted < 0) {
      return refusedType(
          type,
          Refusal.answered(
              Vfio.VFIO_SET_IOMMU,
              accepted,
              explanations.setIommu(type, Errno.ofResult(accepted))));
    }
    return describeAndTry(newDomain.apply(container()));
  }

  /** iommufd has no types to set: it is accepted when a device is bound and attached. */
  private Tried attemptIommufd() {
    if (!hasDeviceNode()) {
      return new Tried(notAdvertised(IommuType.IOMMUFD, Optional.empty()));
    }
    close();
    try {
      iommufd = OpenIommufd.open(facts, group);
    } catch (Refusal refusal) {
      return refusedType(IommuType.IOMMUFD, refusal);
    }
    return describeAndTry(new IoasDomain(iommufd));
  }

  private Tried refusedType(IommuType type, Refusal refusal) {
    var attempt =
        new Attempt(
            type,
            true,
            Step.ACCEPTED,
            Outcome.REFUSED,
            Optional.of(refusal.call()),
            refusal.errno(),
            refusal.explanation().text());
    @Nullable VfioException failure =
        refusal.isForUserToMend() ? refusal.of(group.label() + ", IOMMU type " + type) : null;
    return new Tried(attempt, null, failure);
  }

  private Tried describeAndTry(IommuDomain candidate) {
    var type = candidate.type();
    var subject = group.label() + ", IOMMU type " + type;
    var step = Step.DESCRIBED;
    @Nullable MappedSpace space = null;
    try {
      candidate.describe();
      step = Step.USABLE;
      candidate.enable();
      space = new MappedSpace(facts, subject, List.of(candidate), List.of());
      space.tryOnePage();
      var attempt =
          new Attempt(
              type,
              true,
              Step.USABLE,
              Outcome.USABLE,
              Optional.empty(),
              Optional.empty(),
              type == IommuType.NOIOMMU ? UNPROTECTED : "A page was mapped and unmapped.");
      return new Tried(attempt, candidate, null);
    } catch (Refusal refusal) {
      var attempt =
          new Attempt(
              type,
              true,
              step,
              Outcome.UNUSABLE,
              Optional.of(refusal.call()),
              refusal.errno(),
              refusal.explanation().text());
      @Nullable VfioException failure = refusal.isForUserToMend() ? refusal.of(subject) : null;
      startOver();
      if (space != null) {
        space.freeOrphans();
      }
      return new Tried(attempt, null, failure);
    }
  }

  /**
   * Whether version 1, which tells nothing of windows itself, would fail to map and do harm. Where
   * the device tree offers no dynamic windows, version 2 tells the two kinds of kernel apart
   * without risk: one that can do without windows refuses to set it; one that cannot accepts it and
   * describes zero levels.
   */
  private boolean isWithoutDynamicWindows(OpenContainer opened) {
    boolean mayBe =
        group.devices().stream().anyMatch(device -> facts.mayLackDynamicWindows(device.address()));
    if (!mayBe
        || opened.containerFile().ioctl(Vfio.VFIO_SET_IOMMU, Vfio.VFIO_SPAPR_TCE_v2_IOMMU) < 0) {
      return false;
    }
    boolean without = false;
    try {
      new SpaprV2Domain(opened, facts).describe();
    } catch (Refusal refusal) {
      without = true;
    }
    opened.startOver();
    return without;
  }

  private Attempt notAdvertised(IommuType type, Optional<Errno> errno) {
    return new Attempt(
        type,
        false,
        Step.ADVERTISED,
        Outcome.REFUSED,
        callThatTells(type),
        errno,
        whyNotAdvertised(type).text());
  }

  private static Optional<String> callThatTells(IommuType type) {
    return type == IommuType.IOMMUFD
        ? Optional.empty()
        : Optional.of(Vfio.VFIO_CHECK_EXTENSION.name());
  }

  private Explanation whyNotAdvertised(IommuType type) {
    return type == IommuType.TYPE1_NESTING && isOffered(IommuType.TYPE1)
        ? explanations.type1WithoutNesting()
        : explanations.notAdvertised(group, type);
  }

  private static Attempt skipped(IommuType type, String why) {
    return new Attempt(
        type, false, Step.NONE, Outcome.SKIPPED, Optional.empty(), Optional.empty(), why);
  }

  /** The failure of a whole negotiation, in one message. */
  VfioException nothingWorks(Negotiation negotiation) {
    if (negotiation.failure().isPresent()) {
      return negotiation.failure().get();
    }
    var tried = negotiation.attempts().stream().filter(Attempt::isTelling).toList();
    var told = tried.isEmpty() ? negotiation.attempts() : tried;
    var meaning = new StringBuilder(whatDoesNotWork());
    for (var attempt : told) {
      meaning.append("\n  ").append(describe(attempt));
    }
    for (var attempt : negotiation.leftOut()) {
      meaning.append("\n  ").append(describe(attempt));
    }
    @Nullable Errno errno = tried.size() == 1 ? tried.getFirst().errno().orElse(null) : null;
    var operation = told.size() == 1 ? told.getFirst().call().orElse("negotiation") : "negotiation";
    return new VfioException(
        operation, group.label(), errno, meaning.toString(), whatToAllow(negotiation.leftOut()));
  }

  private String whatDoesNotWork() {
    if (settled.isPresent()) {
      return "IOMMU type %s, which the groups before this one have, does not work here."
          .formatted(settled.get());
    }
    if (policy.required().isPresent()) {
      return "IOMMU type %s, the only one asked for, does not work here."
          .formatted(policy.required().get());
    }
    return policy.forbidden().isEmpty()
        ? "No IOMMU type works here."
        : "No IOMMU type that was allowed works here.";
  }

  private String whatToAllow(List<Attempt> leftOut) {
    if (leftOut.isEmpty()) {
      return "";
    }
    if (settled.isPresent()) {
      return "Open the groups apart, or with a type that 'jvfio probe' finds to work for all of them.";
    }
    var types = leftOut.stream().map(Attempt::type).toList();
    if (types.equals(List.of(IommuType.NOIOMMU))) {
      return "Ask for noiommu by name, if you can do without protection.";
    }
    var names = types.stream().map(IommuType::id).collect(Collectors.joining(", "));
    int last = names.lastIndexOf(", ");
    return "Allow %s."
        .formatted(
            last < 0 ? names : names.substring(0, last) + " or " + names.substring(last + 2));
  }

  private static String describe(Attempt attempt) {
    return "%s: %s%s %s"
        .formatted(
            attempt.type(),
            attempt.call().orElse("not asked"),
            attempt.errno().map(errno -> " " + errno.symbol() + ".").orElse("."),
            attempt.meaning());
  }

  /** The types that every negotiation found usable, in the order of the policy. */
  static List<IommuType> common(IommuPolicy policy, List<Negotiation> negotiations) {
    if (negotiations.isEmpty()) {
      return List.of();
    }
    return policy.candidates().stream()
        .filter(type -> negotiations.stream().allMatch(one -> one.usable().contains(type)))
        .toList();
  }
}
