package io.jvfio;

import io.jvfio.Attempt.Outcome;
import io.jvfio.Attempt.Step;
import io.jvfio.linux.Errno;
import io.jvfio.linux.uapi.Vfio;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
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
final class Negotiator {
  private final HostFacts facts;
  private final OpenContainer container;

  Negotiator(HostFacts facts, OpenContainer container) {
    this.facts = facts;
    this.container = container;
  }

  /** A negotiation, and the space of the chosen type, ready for use. */
  record Result(Negotiation negotiation, @Nullable ContainerSpace space) {}

  /** Tries candidates until one is usable, and keeps it. */
  Result negotiate(IommuPolicy policy) {
    var attempts = new ArrayList<Attempt>();
    @Nullable ContainerSpace chosen = null;
    @Nullable VfioException failure = null;
    for (var type : policy.candidates()) {
      if (chosen != null) {
        attempts.add(skipped(type, "Not tried: " + chosen.type() + " works and comes before it."));
      } else if (failure != null) {
        attempts.add(
            skipped(type, "Not tried: an error that another type would only hide came first."));
      } else {
        var tried = attempt(type);
        attempts.add(tried.attempt());
        chosen = tried.space();
        failure = tried.failure();
      }
    }
    return new Result(
        new Negotiation(
            attempts,
            Optional.ofNullable(chosen).map(DmaSpace::type),
            Optional.ofNullable(failure)),
        chosen);
  }

  /** Tries every candidate, keeps none. */
  Negotiation survey(IommuPolicy policy) {
    var attempts = new ArrayList<Attempt>();
    Optional<IommuType> chosen = Optional.empty();
    Optional<VfioException> failure = Optional.empty();
    for (var type : policy.candidates()) {
      var tried = attempt(type);
      attempts.add(tried.attempt());
      if (tried.space() != null) {
        if (chosen.isEmpty() && failure.isEmpty()) {
          chosen = Optional.of(type);
        }
        tried.space().close();
        container.startOver();
      } else if (chosen.isEmpty() && failure.isEmpty()) {
        failure = Optional.ofNullable(tried.failure());
      }
    }
    return new Negotiation(attempts, chosen, failure);
  }

  private record Tried(
      Attempt attempt, @Nullable ContainerSpace space, @Nullable VfioException failure) {
    Tried(Attempt attempt) {
      this(attempt, null, null);
    }
  }

  private Tried attempt(IommuType type) {
    var extension = type.extension();
    if (extension.isEmpty()) {
      return new Tried(
          facts.offersDeviceNodes()
              ? new Attempt(
                  type,
                  true,
                  Step.NONE,
                  Outcome.SKIPPED,
                  Optional.empty(),
                  Optional.empty(),
                  "The kernel offers it; this version of jvfio works through containers only.")
              : notAdvertised(type, Optional.empty()));
    }
    int advertised =
        container.containerFile().ioctl(Vfio.VFIO_CHECK_EXTENSION, extension.getAsInt());
    if (advertised <= 0) {
      return new Tried(
          notAdvertised(
              type, advertised < 0 ? Optional.of(Errno.ofResult(advertised)) : Optional.empty()));
    }
    if (type == IommuType.SPAPR_TCE && isWithoutDynamicWindows()) {
      return new Tried(
          new Attempt(
              type,
              true,
              Step.DESCRIBED,
              Outcome.UNUSABLE,
              Optional.of(Vfio.VFIO_IOMMU_SPAPR_TCE_GET_INFO.name()),
              Optional.empty(),
              container.explanations().noDynamicWindows().text()));
    }
    int accepted = container.containerFile().ioctl(Vfio.VFIO_SET_IOMMU, extension.getAsInt());
    if (accepted < 0) {
      return refusedType(type, Errno.ofResult(accepted));
    }
    return describeAndTry(type);
  }

  private Tried refusedType(IommuType type, Errno errno) {
    var explanation = container.explanations().setIommu(type, errno);
    var attempt =
        new Attempt(
            type,
            true,
            Step.ACCEPTED,
            Outcome.REFUSED,
            Optional.of(Vfio.VFIO_SET_IOMMU.name()),
            Optional.of(errno),
            explanation.text());
    @Nullable VfioException failure =
        Explanations.isForUserToMend(errno)
            ? Refusal.answered(Vfio.VFIO_SET_IOMMU, errno.result(), explanation)
                .of(container.group().label() + ", IOMMU type " + type)
            : null;
    return new Tried(attempt, null, failure);
  }

  private Tried describeAndTry(IommuType type) {
    var space = newSpace(type);
    var step = Step.DESCRIBED;
    try {
      space.describe();
      step = Step.USABLE;
      space.enable();
      space.tryOnePage();
      var attempt =
          new Attempt(
              type,
              true,
              Step.USABLE,
              Outcome.USABLE,
              Optional.empty(),
              Optional.empty(),
              "A page was mapped and unmapped.");
      return new Tried(attempt, space, null);
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
      @Nullable VfioException failure =
          refusal.isForUserToMend() ? refusal.of(space.subject()) : null;
      space.close();
      container.startOver();
      return new Tried(attempt, null, failure);
    }
  }

  private ContainerSpace newSpace(IommuType type) {
    return switch (type) {
      case TYPE1, TYPE1V2, TYPE1_NESTING -> new Type1Space(type, container);
      case SPAPR_TCE -> new SpaprV1Space(container);
      case SPAPR_TCE_V2 -> new SpaprV2Space(container);
      case NOIOMMU -> new NoIommuSpace(container);
      case IOMMUFD -> throw new IllegalArgumentException("iommufd has no container");
    };
  }

  /**
   * Whether version 1, which tells nothing of windows itself, would fail to map and do harm. Where
   * the device tree offers no dynamic windows, version 2 tells the two kinds of kernel apart
   * without risk: one that can do without windows refuses to set it; one that cannot accepts it and
   * describes zero levels.
   */
  private boolean isWithoutDynamicWindows() {
    boolean mayBe =
        container.group().devices().stream()
            .anyMatch(device -> facts.mayLackDynamicWindows(device.address()));
    if (!mayBe
        || container.containerFile().ioctl(Vfio.VFIO_SET_IOMMU, Vfio.VFIO_SPAPR_TCE_v2_IOMMU) < 0) {
      return false;
    }
    boolean without = false;
    try (var space = new SpaprV2Space(container)) {
      space.describe();
    } catch (Refusal refusal) {
      without = true;
    }
    container.startOver();
    return without;
  }

  private Attempt notAdvertised(IommuType type, Optional<Errno> errno) {
    return new Attempt(
        type,
        false,
        Step.ADVERTISED,
        Outcome.REFUSED,
        type == IommuType.IOMMUFD
            ? Optional.empty()
            : Optional.of(Vfio.VFIO_CHECK_EXTENSION.name()),
        errno,
        container.explanations().notAdvertised(type).text());
  }

  private static Attempt skipped(IommuType type, String why) {
    return new Attempt(
        type, false, Step.NONE, Outcome.SKIPPED, Optional.empty(), Optional.empty(), why);
  }

  /** The failure of a whole negotiation, in one message. */
  static VfioException nothingWorks(IommuGroup group, Negotiation negotiation) {
    if (negotiation.failure().isPresent()) {
      return negotiation.failure().get();
    }
    var tried = negotiation.attempts().stream().filter(Attempt::isTelling).toList();
    var told = tried.isEmpty() ? negotiation.attempts() : tried;
    var meaning = new StringBuilder("No IOMMU type works here.");
    for (var attempt : told) {
      meaning.append("\n  ").append(describe(attempt));
    }
    @Nullable Errno errno = tried.size() == 1 ? tried.getFirst().errno().orElse(null) : null;
    var operation = told.size() == 1 ? told.getFirst().call().orElse("negotiation") : "negotiation";
    return new VfioException(operation, group.label(), errno, meaning.toString(), "");
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
